"""Run responders through scorers and compare what they get with what they must get."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebias.checks.oracle.exact import ItemRow
from edgebias.checks.oracle.expected import expected_scores
from edgebias.checks.oracle.responders import Responder, reply
from edgebias.checks.oracle.scorers import Scorer

ALL = "all"
TOLERANCE = 1e-9
"""Largest difference, in per cent points, that counts as equal: rounding of float64."""

COLUMNS = ("suite", "scorer", "responder", "category", "metric", "expected", "found", "agrees")


@dataclass(frozen=True)
class Check:
    """One score: what it must be and what a scorer found; NaN is undefined."""

    suite: str
    scorer: str
    responder: str
    category: str
    metric: str
    expected: float
    found: float

    @property
    def agrees(self) -> bool:
        """Equal within `TOLERANCE`; undefined agrees with undefined alone."""
        if math.isnan(self.expected) or math.isnan(self.found):
            return math.isnan(self.expected) and math.isnan(self.found)
        return abs(self.expected - self.found) <= TOLERANCE


def run_checks(
    suite: str, items: Sequence[ItemRow], responder: Responder, name: str, scorer: Scorer, raw_folder: Path
) -> Iterator[Check]:
    """Yield a check of every metric that the scorer gives, for all items and for each category."""
    answers = responder.answer(items)
    replies = [reply(item, answer) for item, answer in zip(items, answers, strict=True)]
    places: dict[str, list[int]] = {ALL: list(range(len(items)))}
    for place, item in enumerate(items):
        places.setdefault(str(item["category"]), []).append(place)
    for category in (ALL, *sorted(set(places) - {ALL})):
        chosen = [items[place] for place in places[category]]
        expected = expected_scores(suite, chosen, [answers[place] for place in places[category]])
        found = scorer(suite, chosen, [replies[place] for place in places[category]], raw_folder)
        for metric in (metric for metric in expected if metric in found):
            exact = expected[metric]
            yield Check(
                suite=suite,
                scorer=name,
                responder=responder.name,
                category=category,
                metric=metric,
                expected=math.nan if exact is None else float(exact),
                found=float(found[metric]),
            )
