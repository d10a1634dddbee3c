"""What published figures of a board allow a build: a projection."""
