"""What `edgebias train` is called with on the tiny model, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd


def write_lines(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


Train = Callable[..., "Trained"]


class Trained:
    """What `edgebias train` wrote to a folder."""

    def __init__(self, folder: Path) -> None:
        self.weights, self.cost = folder / "out.gguf", folder / "out.training_cost.json"
        self.files = [self.weights, folder / "out.json", folder / "out.training.csv"]
        self.kept = [folder / "out.gguf.checkpoint", folder / "out.gguf.journal"]

    @property
    def training(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.files[1].read_text(encoding="utf-8"))["training"]
        return found

    @property
    def trajectory(self) -> pd.DataFrame:
        return pd.read_csv(self.files[2], na_values=["NaN"])

    def bytes(self) -> list[bytes]:
        return [path.read_bytes() for path in self.files]


def arguments(parent: Path, texts: Path, folder: Path, section: dict[str, Any]) -> list[str]:
    settings = {
        "variant_record": {"perplexity_tokens": 256},
        "models.tiny": {},
        "variants.out": {"from": "full", "train": {"threads": 1, **section}},
    }
    made = Trained(folder)
    files = ["--output", made.weights, "--record", made.files[1], "--trajectory", made.files[2], "--cost", made.cost]
    files += ["--parent", parent, "--folder", parent.with_name("full.transformers"), "--texts", texts]
    return ["--settings", json.dumps(settings), *map(str, files)]
