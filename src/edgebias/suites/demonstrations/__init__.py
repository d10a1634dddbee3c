"""Adversarial demonstrations: prompts, formulas and the local ``evaluate`` module."""
