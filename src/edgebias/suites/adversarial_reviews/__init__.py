"""Attacked reviews: attacks, formulas and the local ``evaluate`` module."""
