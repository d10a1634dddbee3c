"""Forced choice: formulas and the local ``evaluate`` module."""
