"""BOLD: formulas and the local ``evaluate`` module."""
