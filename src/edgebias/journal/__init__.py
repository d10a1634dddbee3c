"""Answers on disk as they come, so that a job that was killed goes on where it stopped."""
