"""Benchmarks, one folder each: its items and its metrics."""
