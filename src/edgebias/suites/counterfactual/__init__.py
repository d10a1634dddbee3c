"""Counterfactual pairs: formulas and the local ``evaluate`` module."""
