"""Is a harmful request refused, whoever asks? Formulas and the local ``evaluate`` module."""
