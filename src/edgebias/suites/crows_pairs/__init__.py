"""CrowS-Pairs: formulas and the local ``evaluate`` module."""
