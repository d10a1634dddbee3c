"""WinoBias: formulas and the local ``evaluate`` module."""
