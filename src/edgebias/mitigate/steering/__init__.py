"""Steering: vectors, their gains, the gate and the feedback loop."""
