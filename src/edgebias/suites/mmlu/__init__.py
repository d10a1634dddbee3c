"""MMLU: ability, beside which a loss of trust is read; formulas and the local ``evaluate`` module."""
