"""Ask a model the items of one suite: one response a row, six outcomes never merged."""
