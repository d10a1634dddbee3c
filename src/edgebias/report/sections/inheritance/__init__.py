"""Section: what self-written data passes on. Bias against the share of texts that the model wrote itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.findings import ALPHA
from edgebias.report.numbers import estimate, number, p_number, signed_estimate
from edgebias.report.section import Section
from edgebias.report.sections.inheritance.claims import claims_table, helps, is_inherited
from edgebias.report.sections.inheritance.figure import draw
from edgebias.report.sections.inheritance.rows import (
    BY_RUN,
    FALLS,
    FLAT,
    GROUPS,
    LEAD,
    LEADS,
    MITIGATED,
    RISES,
    SCORES,
    SHIFT,
    TEXTS,
    TRENDS,
    UNKNOWN,
    Found,
    Row,
    builds,
    called,
    chance,
    in_order,
    is_reference,
    of_bias,
    place_of,
    score_name,
    share,
    sized,
    task_of,
    unit,
    verdict,
)
from edgebias.report.table import Table, title_of, value_of
from edgebias.score.inheritance.builds import UNMITIGATED

__all__ = ["DRAWING", "LIMITS", "SECTION", "draw", "inheritance_sentence", "sentence", "tables"]

_TOLD = {
    RISES: "It rises with the share of self-written texts",
    FALLS: "It falls with the share of self-written texts",
    BY_RUN: "Builds differ, but not in the order of their shares, so that chance of training explains it as well",
    FLAT: "No trend is beyond chance",
    UNKNOWN: "Too few shares were trained for a trend",
}


def sentence(found: Found) -> str:
    """Return what the study found of self-written data, in some sentences; empty where no build was trained on any."""
    rows, trends = of_bias(found.get(SCORES, ())), of_bias(found.get(TRENDS, ()))
    parts = []
    for place in dict.fromkeys(map(place_of, rows)):
        here = [row for row in rows if place_of(row) == place]
        mine = [row for row in trends if place_of(row) == place and row["mitigation"] == UNMITIGATED]
        shares = sorted({value_of(row["ratio"]) for row in here if value_of(row["ratio"]) > 0})
        parts.append(f"{' '.join(place)}: builds with {_percent(shares)} of texts that the model wrote itself.")
        parts += [_trend(row, here) for row in mine]
        parts.append(_apart(here))
        mitigated = [row for row in of_bias(found.get(MITIGATED, ())) if place_of(row) == place]
        parts.append(_mended(mitigated, found.get(SCORES, ())))
    return " ".join(filter(None, parts))


def _percent(shares: Sequence[float]) -> str:
    *most, last = [f"{100 * one:g}" for one in shares] or ["no"]
    return f"{', '.join(most)} and {last} %" if most else f"{last} %"


def _trend(trend: Row, rows: Sequence[Row]) -> str:
    ends = [
        row
        for row in rows
        if task_of(row) == task_of(trend) and (is_reference(row) or (row["bias"], row["mitigation"]) == _kind(trend))
    ]
    if not ends or not any(map(is_reference, ends)):
        return ""
    first = next(row for row in ends if is_reference(row))
    last = max(ends, key=lambda row: value_of(row["ratio"]))
    name = title_of(str(trend["suite"]))
    what = LEAD if trend["suite"] in LEADS else str(trend["measure"]).replace("_", " ")
    return (
        f"{name}, {str(trend['bias']).replace('_', ' ')} texts: {what} is {number(value_of(first['estimate']))} "
        f"{unit(trend)} without self-written texts and {number(value_of(last['estimate']))} with {share(last)}. "
        f"{_TOLD[verdict(trend)]} ({sized(trend, 'slope')} for ten points more)."
    )


def _kind(row: Row) -> tuple[str, str]:
    return str(row["bias"]), str(row["mitigation"])


def _apart(rows: Sequence[Row]) -> str:
    """Return by how much two builds of ratio 0 differ."""
    again = [row for row in rows if value_of(row["ratio"]) == 0 and not is_reference(row)]
    apart: dict[tuple[str, ...], Row] = {}
    for row in again:
        apart.setdefault(task_of(row), row)
    if not apart:
        return ""
    sizes = ", ".join(
        f"{number(chance(rows, row))} {unit(row)} ({title_of(str(row['suite']))})" for row in apart.values()
    )
    return f"Builds without self-written texts that differ in the draw of sentences alone lie apart by {sizes}."


def _mended(mitigated: Sequence[Row], rows: Sequence[Row]) -> str:
    if not mitigated:
        return ""
    inherited = [row for row in mitigated if is_inherited(row, rows)]
    if not inherited:
        return "No change is inherited beyond chance, so that no mitigation has anything to take away."
    told = []
    for name in dict.fromkeys(str(row["mitigation"]) for row in inherited):
        mine = [row for row in inherited if row["mitigation"] == name]
        helped = sum(helps(row, rows) for row in mine)
        told.append(f"{name} in {helped} of {len(mine)}")
    return f"Tasks in which a mitigation takes a part of it away beyond chance: {', '.join(told)}."


def tables(found: Found) -> tuple[Table, ...]:
    """Return the claims, the bias of each build, changes, trends, what mitigations do, and what was written."""
    if not found.get(SCORES):
        return ()
    more = (
        _mitigations(found.get(MITIGATED, ())),
        _texts(found.get(TEXTS, ())),
        _groups(found.get(GROUPS, ())),
        _shifts(found.get(SHIFT, ())),
    )
    return (
        claims_table(found),
        _by_build(found[SCORES]),
        _trends(found.get(TRENDS, ())),
        *(table for table in more if table.rows),
    )


def _by_build(rows: Sequence[Row]) -> Table:
    """Return a line for each build, with the bias of each task and whether it changed."""
    mine = of_bias(rows)
    tasks = list(dict.fromkeys(task_of(row)[2:] for row in mine))
    by_build = {(*place_of(row), row["variant"], *task_of(row)[2:]): row for row in mine}
    names = {task: next(row for row in mine if task_of(row)[2:] == task) for task in tasks}
    heads = [f"{score_name(names[task])} ({unit(names[task])})" for task in tasks]
    return Table(
        "Bias of each build, with its change from the build without self-written texts; * survives the correction",
        ("Build", "Self-written", "Mitigation", *heads),
        tuple(
            (
                f"{row['model']} {row['variant']}",
                share(row),
                called(row["mitigation"]),
                *(_with_change(by_build.get((*place_of(row), row["variant"], *task))) for task in tasks),
            )
            for row in builds(mine)
        ),
        frozenset({1}),
    )


def _with_change(row: Row | None) -> str:
    if row is None:
        return "not asked"
    value = estimate(value_of(row["estimate"]), value_of(row["low"]), value_of(row["high"]))
    if not math.isfinite(value_of(row["change"])):
        return value
    star = "*" if value_of(row["p_corrected"]) < ALPHA else ""
    return f"{value}; change {sized(row, 'change', 'change_low', 'change_high')}{star}"


def _trends(rows: Sequence[Row]) -> Table:
    return Table(
        "Change of each score for ten points more of self-written texts",
        ("Model", "Texts", "Score", "Unit", "Slope [low, high]", "corrected p", "p over runs", "Trend"),
        tuple(
            (
                str(row["model"]),
                str(row["bias"]).replace("_", " "),
                score_name(row),
                unit(row),
                sized(row, "slope"),
                p_number(value_of(row["p_corrected"])),
                p_number(value_of(row["p_runs"])),
                verdict(row),
            )
            for row in in_order(rows)
            if row["mitigation"] == UNMITIGATED
        ),
        frozenset({5, 6}),
        unbroken=frozenset({4}),
    )


def _mitigations(rows: Sequence[Row]) -> Table:
    heads = ("Inherited [low, high]", "With it, less without [low, high]", "corrected p", "Taken away (%) [low, high]")
    return Table(
        "What mitigations do to the bias of a build, beside the same share of self-written texts without them",
        ("Model", "Self-written", "Mitigation", "Score", "Unit", *heads),
        tuple(
            (
                str(row["model"]),
                share(row),
                called(row["mitigation"]),
                score_name(row),
                unit(row),
                sized(row, "inherited", "inherited_low", "inherited_high"),
                sized(row, "difference"),
                p_number(value_of(row["p_corrected"])),
                estimate(
                    value_of(row["removed"]),
                    value_of(row["removed_low"]),
                    value_of(row["removed_high"]),
                    undefined="nothing is inherited beyond doubt",
                ),
            )
            for row in of_bias(rows)
        ),
        frozenset({1, 7}),
        unbroken=frozenset({5, 6}),
    )


def _texts(rows: Sequence[Row]) -> Table:
    return Table(
        "What the model wrote",
        ("Texts", "Job", "Asked for", "Fit", "About women", "About men", "Most others are unfit by"),
        tuple(
            (
                str(row["kind"]).replace("_", " "),
                str(row["job"]),
                *(number(int(value_of(row[name]))) for name in ("n_asked", "n_kept", "n_women", "n_men")),
                str(row["unfit"] or "none"),
            )
            for row in rows
        ),
        frozenset({2, 3, 4, 5}),
    )


def _groups(rows: Sequence[Row]) -> Table:
    return Table(
        "Share of women in what the model wrote, beside the real sentences on that job",
        (
            "Texts",
            "Job",
            "Texts that tell a gender",
            "Women (%)",
            "Women in real ones (%)",
            "Points more [low, high]",
            "p",
        ),
        tuple(
            (
                str(row["kind"]).replace("_", " "),
                str(row["job"]),
                number(int(value_of(row["n_augmented"]))),
                *(number(100 * value_of(row[name])) for name in ("augmented", "original")),
                signed_estimate(
                    100 * value_of(row["difference"]), 100 * value_of(row["low"]), 100 * value_of(row["high"])
                ),
                p_number(value_of(row["p_value"])),
            )
            for row in rows
        ),
        frozenset({2, 3, 4, 6}),
        unbroken=frozenset({5}),
    )


def _shifts(rows: Sequence[Row]) -> Table:
    return Table(
        "How far self-written texts lie from real sentences in the model's last hidden states",
        ("Texts", "Texts read", "Real ones read", "Shift", "Shift by chance", "p"),
        tuple(
            (
                str(row["kind"]).replace("_", " "),
                *(number(int(value_of(row[name]))) for name in ("n_augmented", "n_original")),
                *(number(value_of(row[name])) for name in ("shift", "by_chance")),
                p_number(value_of(row["p_value"])),
            )
            for row in rows
        ),
        frozenset({1, 2, 3, 4, 5}),
    )


def _found(study: StudyData) -> Found:
    return {name: table.to_dict("records") for name, table in study.inheritance.items()}


def is_shown(study: StudyData) -> bool:
    """Return whether builds of the study were trained on mixtures."""
    return bool(study.inheritance)


def inheritance_sentence(study: StudyData) -> str:
    """Return what the study found of self-written data, in some sentences; empty where there is none."""
    return sentence(_found(study))


def _content(study: StudyData) -> Mapping[str, Any]:
    return {
        "inheritance_sentence": inheritance_sentence(study),
        "inheritance_tables": tables(_found(study)),
        "inheritance_limits": LIMITS,
    }


LIMITS = (
    "The models are small, and each share is one training run unless a table says otherwise.",
    "Sentences of BUG stand for the biographies of Bias-in-Bios, and single sentences tell less than biographies.",
    "The prompts of salaries, hiring and self-written texts are ours: the paper's are not public.",
    "Salaries and hiring are read from probabilities of fixed answers, not from free texts.",
)
"""What a reader must know before citing a number of this chapter."""

DRAWING = Drawing(
    "inheritance",
    "Bias against the share of texts that the model wrote itself",
    "One panel a task. To the right there are more self-written texts in training. The dashed line is no bias. "
    "Blue: nothing is done about them. Dotted: from the build without such texts to one with a mitigation. "
    "Grey diamond: the model before training. Grey circle: another draw of sentences without self-written texts, "
    "which shows what chance alone does. Bars: intervals over sentences, or over pairs of a woman and a man.",
    "Bias by share of self-written texts, task and mitigation; the same numbers are in the tables.",
    lambda study: draw(_found(study)),
)
SECTION = Section("inheritance", "What self-written data passes on", _content, (DRAWING,), is_shown)
