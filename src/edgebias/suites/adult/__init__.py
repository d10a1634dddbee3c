"""UCI Adult in words: is the predicted income fair to women and men? Formulas and the local ``evaluate`` module."""
