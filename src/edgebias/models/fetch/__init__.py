"""Model files from pinned packages, the Hub or this disk."""
