"""Section: the parity gate, and what the arithmetic of the backends changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.numbers import number, percent
from edgebias.report.section import Section
from edgebias.report.table import Table, title_of, value_of


def parity_table(study: StudyData) -> Table:
    """Return the gate: the same weights must agree in exact arithmetic before environments are compared."""
    listed = [
        (
            model,
            title_of(suite),
            title_of(name),
            number(values["n_items"]),
            number(values["n_options"]),
            *(number(value_of(values[key]), 5) for key in ("max_abs_difference", "mean_abs_difference")),
            number(value_of(record["max_abs_difference"]), 3),
        )
        for model, record in study.parity.items()
        for suite, formats in sorted(record["exact"].items())
        for name, values in sorted(formats.items())
    ]
    differences = ("Largest difference (nats)", "Mean", "Allowed")
    heads = ("Model", "Suite", "Format", "Items", "Options", *differences)
    return Table("The same model, in exact arithmetic", heads, tuple(listed), frozenset({3, 4, 5, 6, 7}))


def prompt_table(study: StudyData) -> Table:
    """Return whether both backends read the same tokens."""
    listed = [
        (
            model,
            title_of(suite),
            number(values["n_prompts"]),
            number(values["n_differ"]),
            number(values["longest"]),
        )
        for model, record in study.parity.items()
        for suite, values in sorted(record["prompts"].items())
    ]
    heads = ("Model", "Suite", "Prompts", "With other tokens", "Longest (tokens)")
    return Table("The same prompt, token by token", heads, tuple(listed), frozenset({2, 3, 4}))


def arithmetic_table(study: StudyData) -> Table:
    """Return how far the answers of the same weights lie apart in the arithmetic that each environment uses."""
    listed = [
        (
            model,
            title_of(suite),
            title_of(name),
            number(values["n_items"]),
            *(number(value_of(values[f"{which}_abs_difference"]), 4) for which in ("mean", "p99", "max")),
            percent(value_of(values["agreement"])),
        )
        for model, suites in study.arithmetic.items()
        for suite, formats in sorted(suites.items())
        for name, values in sorted(formats.items())
    ]
    heads = ("Model", "Suite", "Format", "Items", "Mean difference (nats)", "99 % quantile", "Largest", "Same answer")
    return Table("What the arithmetic changes", heads, tuple(listed), frozenset({3, 4, 5, 6, 7}))


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
        for model, suites in study.arithmetic.items()
        for suite, formats in sorted(suites.items())
        for name, values in sorted(formats.items())
        if name == "letter"
    ]
    heads = ("Model", "Suite", "Items", "With other texts", "First item", "llama.cpp wrote", "transformers wrote")
    return Table("The same letter, text by text", heads, tuple(listed), frozenset({2, 3}))


def _quoted(first: Mapping[str, str] | None, key: str) -> str:
    if first is None:
        return "none"
    return first[key] if key == "item_id" else repr(first[key])


def _content(study: StudyData) -> Mapping[str, Any]:
    return {
        "parity": parity_table(study),
        "prompts": prompt_table(study),
        "arithmetic": arithmetic_table(study),
        "texts": text_table(study),
    }


SECTION = Section("parity", "Parity", _content)
