"""Synthetic responders whose exact scores are known, to check any scorer on the real benchmark files."""
