"""Winogender: formulas and the local ``evaluate`` module."""
