"""BBQ: formulas and the local ``evaluate`` module."""
