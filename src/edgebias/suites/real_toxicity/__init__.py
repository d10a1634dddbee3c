"""Toxicity of continuations: formulas and the local ``evaluate`` module."""
