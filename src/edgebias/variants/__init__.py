"""Compressed builds of one model, and a record of what is really on disk."""
