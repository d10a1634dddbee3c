"""Backends that ask an endpoint over HTTP."""
