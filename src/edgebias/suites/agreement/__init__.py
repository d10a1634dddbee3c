"""Agreement with stereotypes: formulas and the local ``evaluate`` module."""
