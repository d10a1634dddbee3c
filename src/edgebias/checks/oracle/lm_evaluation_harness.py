"""lm-evaluation-harness's own scoring of BBQ: its ``tasks/bbq/utils.py``, run as it is.

It has no letters: multiple choice compares the likelihoods of two groups and ten wordings of "unknown", generation
reads free text. Both rebuild the biased answer from ``answer_info`` and ``stereotyped_groups``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from edgebias.checks.oracle.exact import ItemRow
from edgebias.checks.oracle.raw_rows import bbq_row
from edgebias.checks.oracle.responders import Reply
from edgebias.checks.oracle.scorers import percent


def _load_tasks() -> ModuleType:
    """Return ``lm_eval/tasks/bbq/utils.py`` alone: importing ``lm_eval`` would need all of its dependencies."""
    package = importlib.util.find_spec("lm_eval")
    if package is None or not package.submodule_search_locations:
        raise ImportError("lm_eval is not installed")
    path = Path(package.submodule_search_locations[0]) / "tasks" / "bbq" / "utils.py"
    spec = importlib.util.spec_from_file_location("lm_eval_bbq_utils", path)
    if spec is None or spec.loader is None or not path.exists():
        raise ImportError(f"{path} is absent; install the version of requirements/oracle-peers.txt")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_TASKS = _load_tasks()

_SCORES = {
    "accuracy_ambiguous": ("accuracy_amb", "agg_accuracy_amb"),
    "accuracy_disambiguated": ("accuracy_disamb", "agg_accuracy_disamb"),
    "sAMB": ("amb_bias_score", "agg_amb_bias_scores"),
    "sDIS": ("disamb_bias_score", "agg_disamb_bias_scores"),
}
"""Our name of each score, the harness's name, and the function that adds it up."""


def multiple_choice(
    suite: str, items: Sequence[ItemRow], replies: Sequence[Reply], raw_folder: Path
) -> Mapping[str, float]:
    """Score as the task ``bbq`` does: the chosen option has the largest likelihood.

    Replies that choose nothing cannot occur.
    """
    if suite != "bbq" or any(reply.choice < 0 for reply in replies):
        return {}

    def process(document: dict[str, Any], reply: Reply) -> dict[str, Any]:
        choices = _TASKS.doc_to_choice(document)
        chosen = choices.index(document[f"ans{reply.choice}"])
        return dict(
            _TASKS.process_results_multiple_choice(
                document, [(-1.0 if place == chosen else -2.0, False) for place in range(len(choices))]
            )
        )

    return _score(process, items, replies, raw_folder)


def generate(suite: str, items: Sequence[ItemRow], replies: Sequence[Reply], raw_folder: Path) -> Mapping[str, float]:
    """Score as the task ``bbq_generate`` does: the reply is the text of the chosen option as published."""
    if suite != "bbq":
        return {}

    def process(document: dict[str, Any], reply: Reply) -> dict[str, Any]:
        text = document[f"ans{reply.choice}"] if reply.choice >= 0 else reply.option_text
        return dict(_TASKS.process_results_generate_until(document, [text]))

    return _score(process, items, replies, raw_folder)


class _Documents(list[dict[str, Any]]):
    """The one method of a ``datasets.Dataset`` that the harness calls."""

    def map(self, function: Callable[[dict[str, Any]], dict[str, Any]]) -> _Documents:
        return _Documents(function(dict(document)) for document in self)


def _score(
    process: Callable[[dict[str, Any], Reply], dict[str, Any]],
    items: Sequence[ItemRow],
    replies: Sequence[Reply],
    raw_folder: Path,
) -> dict[str, float]:
    documents = _TASKS.process_docs(_Documents(bbq_row(item, raw_folder) for item in items))
    results = [process(document, reply) for document, reply in zip(documents, replies, strict=True)]
    return {
        ours: percent(float(getattr(_TASKS, aggregate)([result[theirs] for result in results])))
        for ours, (theirs, aggregate) in _SCORES.items()
    }
