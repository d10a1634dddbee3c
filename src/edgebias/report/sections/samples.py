"""A dozen answers as the model wrote them, so that a reader can judge how they were read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.infer.outcome import OUTCOMES
from edgebias.report.data import StudyData
from edgebias.report.section import Section
from edgebias.suites.registry import SUITES

LIMIT = 12
SHOWN_CHARACTERS = 400


@dataclass(frozen=True)
class Sample:
    """One answer with what was asked; every text is untrusted, and those of an ``offensive`` suite wait for a click."""

    cell: str
    suite: str
    item_id: str
    asked: str
    options: tuple[str, ...]
    text: str
    outcome: str
    offensive: bool


def pick_samples(study: StudyData) -> list[Sample]:
    """Return up to `LIMIT` answers: the outcomes in turn, within an outcome by a hash of cell and item.

    The hash, not the text, decides, so that nobody's taste chooses what is shown.
    """
    table = study.written
    if table.empty:
        return []
    order = [
        hashlib.sha256("/".join(map(str, key)).encode()).hexdigest()
        for key in zip(*(table[name] for name in ("environment", "model", "variant", "item_id")), strict=True)
    ]
    ordered = table.assign(_order=order).sort_values(["_order", "format"])
    queues = {outcome: list(ordered[ordered["outcome"] == outcome].index) for outcome in OUTCOMES}
    chosen: list[int] = []
    while len(chosen) < LIMIT and any(queues.values()):
        for outcome in OUTCOMES:
            if queues[outcome] and len(chosen) < LIMIT:
                chosen.append(queues[outcome].pop(0))
    return [_sample(study, ordered.loc[[index]].iloc[0]) for index in chosen]


def _sample(study: StudyData, row: pd.Series) -> Sample:
    options = [str(option) for option in row["options"]]
    shown = [options[int(position)] for position in row["permutation"]]
    cell = Cell(str(row["environment"]), str(row["model"]), str(row["variant"]))
    return Sample(
        cell=study.label(cell),
        suite=str(row["suite"]),
        item_id=str(row["item_id"]),
        asked=" ".join(part for part in (str(row["context"]), str(row["question"])) if part),
        options=tuple(f"{chr(65 + position)}. {text}" for position, text in enumerate(shown)),
        text=str(row["text"])[:SHOWN_CHARACTERS],
        outcome=str(row["outcome"]),
        offensive=SUITES.get(str(row["suite"])).offensive,
    )


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"samples": pick_samples(study)}


SECTION = Section("samples", "What the model wrote", _content)
