"""GSM8K: is a grade school problem solved? Formulas and the local ``evaluate`` module."""
