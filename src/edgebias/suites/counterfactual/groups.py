"""The two groups of a pair, which are the conditions of its items."""

from __future__ import annotations

GROUP_A, GROUP_B = "group_a", "group_b"
"""``group_a`` is the group that stereotypes disfavour."""
