"""Repeated rounds: independent draws and conversations."""
