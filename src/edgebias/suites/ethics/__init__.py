"""ETHICS scenarios, plain and under pressure: formulas and the local ``evaluate`` module."""
