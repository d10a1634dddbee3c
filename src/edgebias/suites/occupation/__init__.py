"""Which profession is meant, in sentences about women and men? Formulas and the local ``evaluate`` module."""
