"""Is a word problem solved? Formulas and the local ``evaluate`` module."""
