"""Probes: in which block is a stereotype legible?"""
