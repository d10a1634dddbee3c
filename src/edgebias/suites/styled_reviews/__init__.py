"""Reviews in other styles: rewrites, formulas and the local ``evaluate`` module."""
