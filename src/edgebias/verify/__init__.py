"""Check the claims of ``claims.yaml`` against the files that the pipeline wrote."""
