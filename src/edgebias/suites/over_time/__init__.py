"""Bias over repeated prompts: formulas and the local ``evaluate`` module."""
