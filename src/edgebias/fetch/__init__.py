"""Fetch pinned sources: one model file, or the benchmark files."""
