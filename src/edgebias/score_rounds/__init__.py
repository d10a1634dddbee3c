"""Stage ``score_rounds``: bias over repeated prompts of one cell."""
