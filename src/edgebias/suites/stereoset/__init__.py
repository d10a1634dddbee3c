"""StereoSet: formulas and the local ``evaluate`` module."""
