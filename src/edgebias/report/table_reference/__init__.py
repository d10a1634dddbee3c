"""The reference page of every table."""
