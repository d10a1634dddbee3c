"""Mitigation methods, one file each."""
