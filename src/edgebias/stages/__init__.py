"""The stages: one thin module for each command."""
