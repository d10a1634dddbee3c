"""Paired contrasts between cells, and the headline numbers of the paper."""
