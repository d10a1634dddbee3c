"""Turn raw benchmarks, and our own templates, into tables of items."""
