"""Backends that load weights on this machine."""
