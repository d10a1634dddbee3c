"""Intervals, paired contrasts and trends. The unit of every resampling is the cluster, never the response."""
