"""The text on which perplexity is measured: sentences of Wikipedia about professions, from BOLD."""

PATH = "BOLD/data/wikipedia/profession_wiki.json"
"""Where it is among the fetched benchmarks."""

BLOB = "43fcf40ed78453d170af6046083c143db822eef9"
"""Its git blob id: by it, what reads the text depends on what it says and not on when it was fetched."""
