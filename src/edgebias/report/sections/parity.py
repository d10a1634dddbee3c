"""Section: the parity gate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.numbers import number, percent
from edgebias.report.section import Section
from edgebias.report.table import Table, title_of, value_of


def parity_table(study: StudyData) -> Table:
    """Return the gate: the same weights must agree across backends before environments are compared."""
    listed = []
    for model, record in study.parity.items():
        limits = record.get("tolerances", {})
        for kind, mark in (("suites", ""), ("letters", ", letters")):
            for suite, values in sorted(record.get(kind, {}).items()):
                listed.append(
                    (
                        model,
                        title_of(suite) + mark,
                        number(values["n_items"]),
                        number(value_of(values["max_abs_difference"]), 4),
                        number(value_of(values["p99_abs_difference"]), 4),
                        number(value_of(values["mean_abs_difference"]), 4),
                        percent(value_of(values["agreement"])),
                    )
                )
        listed.append(
            (
                model,
                "Gate passed" if record.get("passed") else f"GATE FAILED: {'; '.join(record.get('failures', []))}",
                "tolerance",
                number(value_of(limits.get("max_abs_difference"))),
                number(value_of(limits.get("p99_abs_difference"))),
                number(value_of(limits.get("mean_abs_difference"))),
                percent(value_of(limits.get("min_agreement"))),
            )
        )
    differences = tuple(f"{which} difference (nats)" for which in ("Largest", "99 % quantile of the", "Mean"))
    heads = ("Model", "Suite", "Items", *differences, "Same answer")
    return Table("Parity of the backends", heads, tuple(listed), frozenset({2, 3, 4, 5, 6}))


def prompt_table(study: StudyData) -> Table:
    """Return whether both backends read the same tokens, and where they part first."""
    listed = [
        (
            model,
            title_of(suite),
            number(values["n_prompts"]),
            number(values["n_differ"]),
            _place(values["first"]),
        )
        for model, record in study.parity.items()
        for suite, values in sorted(record.get("prompts", {}).items())
    ]
    heads = ("Model", "Suite", "Prompts", "With other tokens", "First place")
    return Table("The same prompt, token by token", heads, tuple(listed), frozenset({2, 3}))


def text_table(study: StudyData) -> Table:
    """Return where the texts of the format `letter` part first."""
    listed = [
        (
            model,
            title_of(suite),
            number(values["n_items"]),
            number(values["n_texts_differ"]),
            *(_quoted(values["first_text"], key) for key in ("item_id", "llama", "transformers")),
        )
        for model, record in study.parity.items()
        for suite, values in sorted(record.get("letters", {}).items())
    ]
    heads = ("Model", "Suite", "Items", "With other texts", "First item", "llama.cpp wrote", "transformers wrote")
    return Table("The same letter, text by text", heads, tuple(listed), frozenset({2, 3}))


def _place(first: Mapping[str, Any] | None) -> str:
    if first is None:
        return "none"
    return (
        f"{first['item_id']} as {first['format']}, {first['part']}, token {first['place']}: llama.cpp "
        f"{list(first['llama'])}, transformers {list(first['transformers'])}"
    )


def _quoted(first: Mapping[str, str] | None, key: str) -> str:
    if first is None:
        return "none"
    return first[key] if key == "item_id" else repr(first[key])


def _content(study: StudyData) -> Mapping[str, Any]:
    return {"parity": parity_table(study), "prompts": prompt_table(study), "texts": text_table(study)}


SECTION = Section("parity", "Parity gate", _content)
