"""HumanEval: does a program that the model writes pass its tests? Formulas and the local ``evaluate`` module."""
