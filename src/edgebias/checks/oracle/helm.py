"""HELM's own scoring of BBQ: its scenario and its metric, run as they are on the published files.

The scenario takes 1,000 items as its test set by default; here the metric sees every item that is asked for. A reply
is the letter of an option in file order, as in ``method=multiple_choice_joint``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from functools import lru_cache
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from helm.benchmark.metrics.bbq_metrics import BBQMetric
from helm.benchmark.scenarios.bbq_scenario import BBQScenario
from helm.benchmark.scenarios.scenario import PassageQuestionInput

from edgebias.checks.oracle.exact import ItemRow
from edgebias.checks.oracle.raw_rows import bbq_row
from edgebias.checks.oracle.responders import Reply
from edgebias.checks.oracle.scorers import percent
from edgebias.suites.formats import LETTERS

_SCORES = {"bbq_metric_ambiguous_bias": "sAMB", "bbq_metric_unambiguous_bias": "sDIS"}
_Key = tuple[str, tuple[str, ...]]
"""What HELM shows of a row, and its options."""


def joint(suite: str, items: Sequence[ItemRow], replies: Sequence[Reply], raw_folder: Path) -> Mapping[str, float]:
    """Return ``bbq_metrics.BBQMetric`` on all items; accuracies by running it on the items of one condition."""
    if suite != "bbq":
        return {}
    instances = _instances(raw_folder)
    states = [
        SimpleNamespace(
            instance=instances[_key(bbq_row(item, raw_folder))],
            result=SimpleNamespace(completions=[SimpleNamespace(text=_completion(reply))]),
        )
        for item, reply in zip(items, replies, strict=True)
    ]

    def stats(condition: str | None) -> dict[str, float]:
        chosen = [s for s, item in zip(states, items, strict=True) if condition in (None, item["condition"])]
        with redirect_stdout(StringIO()):  # it prints a line wherever a score is undefined
            found = BBQMetric().evaluate_instances(chosen, "")
        return {stat.name.name: float(stat.mean) for stat in found if stat.mean is not None}

    everything = stats(None)
    scores = {ours: percent(everything[theirs]) for theirs, ours in _SCORES.items()}
    for condition in ("ambiguous", "disambiguated"):
        accuracy = stats(condition).get("bbq_accuracy")
        if accuracy is not None:
            scores[f"accuracy_{condition}"] = percent(accuracy)
    return scores


def _completion(reply: Reply) -> str:
    return LETTERS[reply.choice] if reply.choice >= 0 else reply.letter_text


def _key(row: Mapping[str, Any]) -> _Key:
    shown = PassageQuestionInput(passage=row["context"], question=row["question"])
    return str(shown.text), tuple(str(row[f"ans{index}"]) for index in range(3))


@lru_cache(maxsize=1)
def _instances(raw_folder: Path) -> dict[_Key, Any]:
    """Return HELM's instance of every published row; it finds the files where it would have downloaded them."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        for path in (raw_folder / "BBQ" / "data").glob("*.jsonl"):
            (data / path.stem).symlink_to(path.resolve())
        instances = BBQScenario().get_instances(folder)
    return {
        (instance.input.text, tuple(reference.output.text for reference in instance.references)): instance
        for instance in instances
    }
