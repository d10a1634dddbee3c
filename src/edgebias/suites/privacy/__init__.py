"""Leaks of personal details: formulas and the local ``evaluate`` module."""
