"""Responders whose exact scores are known, and the scorers that they check."""
