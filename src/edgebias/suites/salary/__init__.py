"""Which salary is recommended, for women and for men? Formulas and the local ``evaluate`` module."""
