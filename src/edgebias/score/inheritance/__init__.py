"""What is inherited from self-written training data: scores against their share, and what mitigations take away."""
