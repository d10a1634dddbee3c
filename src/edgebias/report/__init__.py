"""The study as one self-contained HTML page, its headline numbers and its figures."""
