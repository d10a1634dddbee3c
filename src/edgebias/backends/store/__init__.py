"""Answers on disk: journals of running jobs, paid answers, recordings."""
