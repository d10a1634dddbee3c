"""A study of trust whose answers are known: its builds, and how its stage is called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

TRUST_BUILDS = {
    "full": (16.0, 0.0, 20.0),
    "q8_0": (8.5, 0.0, 20.2),
    "gptq4": (16.0, 0.0, 21.0),
    "other_text": (16.0, 0.0, 21.4),
    "third": (16.0, 0.0, 21.8),
    "q3_k_m": (3.9, 0.0, 26.0),
    "q2_k": (2.8, 0.0, 45.0),
    "magnitude50": (16.0, 0.5, 90.0),
}
"""Bits on disk, sparsity and perplexity of the builds of the study of trust."""


SEEDS = {"gptq4": 0, "other_text": 1, "third": 2}
"""Seeds of those that are one recipe; their names do not tell."""


def trust_arguments(root: Path, **study: Any) -> list[str]:
    """Return the command line of the stage ``trust`` for the study below ``root``."""
    build = {"environment": "edge", "model": "tiny", "variant": "full"}
    cells = [{"environment": "edge", "model": "tiny", "variants": list(TRUST_BUILDS)}]
    builds = {f"{name}_build": build for name in ("edge", "desktop", "cloud")}
    settings = {
        "seed": 1,
        "study": {"suites": ["quiz", "creed"], "cells": cells, "rounds": [], **builds, **study},
        "compare": {"resamples": 400, "confidence": 0.95, "correction": "holm"},
    }
    compare = root / "compare"
    return [
        *("--settings", json.dumps(settings), "--items-folder", str(root / "items")),
        *("--variants-folder", str(root / "models"), "--responses-folder", str(root / "responses")),
        *("--output", str(compare / "trust.csv"), "--controls", str(compare / "trust_controls.csv")),
        *("--correlations", str(compare / "trust_correlations.csv"), "--doses", str(compare / "trust_doses.csv")),
    ]
