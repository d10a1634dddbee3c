"""Stage ``compare``: paired contrasts between environments and builds, and the headline numbers."""
