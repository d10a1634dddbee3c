"""Checks before a claim: parity of backends, oracles of scorers, agreement of the parser, claims."""
