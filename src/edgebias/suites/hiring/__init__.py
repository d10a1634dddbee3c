"""Are women and men hired alike? Formulas and the local ``evaluate`` module."""
