"""HONEST: formulas and the local ``evaluate`` module; the lexicon is a file of the user's."""
