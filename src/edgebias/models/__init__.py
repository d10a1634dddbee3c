"""Model files: fetched, pruned, quantised, converted, and what is really in them."""
