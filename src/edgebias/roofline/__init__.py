"""What memory bandwidth and arithmetic of a small board allow a build: a projection, never a measurement."""
