"""Is an exam question answered right, whoever asks? Formulas and the local ``evaluate`` module."""
