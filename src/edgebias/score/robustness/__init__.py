"""Tables of format robustness."""
