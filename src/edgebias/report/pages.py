"""The pages of a study's results, written from its ``metrics.json`` alone: Markdown, one figure, the README's block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.checks.claims import Verdict
from edgebias.core.cell import Cell
from edgebias.core.errors import InputError
from edgebias.mitigate.registry import FEEDBACK_LOOP
from edgebias.report.canvas import svg_text
from edgebias.report.figures import styled
from edgebias.report.findings import ALPHA, KINDS
from edgebias.report.markdown import rendered
from edgebias.report.numbers import brackets, estimate, number, p_number, percent, signed
from edgebias.report.sections.compression.heat import DIFFERENCES, draw_differences
from edgebias.report.sections.compression.verdicts import claim_table, finding, verdict_table
from edgebias.report.sections.damage import DRAWING as DAMAGE
from edgebias.report.sections.damage import parts as damage_parts
from edgebias.report.sections.damage.figure import draw as draw_damage
from edgebias.report.sections.damage.sentences import finding as damage_finding
from edgebias.report.sections.decomposition import decomposition_tables, draw, sentence
from edgebias.report.sections.environments import draw_scores
from edgebias.report.sections.inheritance import DRAWING as INHERITANCE
from edgebias.report.sections.inheritance import LIMITS as INHERITANCE_LIMITS
from edgebias.report.sections.inheritance import draw as draw_inheritance
from edgebias.report.sections.inheritance import sentence as inheritance_sentence
from edgebias.report.sections.inheritance import tables as inheritance_tables
from edgebias.report.sections.personalisation import DRAWING as PERSONALISATION
from edgebias.report.sections.personalisation import draw as draw_personalisation
from edgebias.report.sections.personalisation import sentence as personalisation_sentence
from edgebias.report.sections.personalisation import tables as personalisation_tables
from edgebias.report.sections.wins_back import DRAWING as WINS_BACK
from edgebias.report.sections.wins_back import draw as draw_wins_back
from edgebias.report.sections.wins_back import sentence as wins_back_sentence
from edgebias.report.sections.wins_back import tables as wins_back_tables
from edgebias.report.table import title_of
from edgebias.report.trust import judged_of
from edgebias.suites.formats import LETTER_BALANCED

BEGIN, END = "<!-- findings:begin -->", "<!-- findings:end -->"
"""Between them stands what `with_findings` writes into the README."""

Findings = Mapping[str, Any]
"""What `edgebias.report.metrics` writes under ``findings``; None stands for what is undefined."""


def findings_of(metrics: Mapping[str, Any], path: Path) -> Findings:
    """Return the findings in a file of headline numbers.

    Raises:
        InputError: it has none.
    """
    if "findings" not in metrics:
        raise InputError(f"{path}: has no findings; write it anew with `edgebias report`")
    found: Findings = metrics["findings"]
    return found


def study_page(findings: Findings, verdicts: Sequence[Verdict], study: str) -> str:
    """Return the page of one study.

    Args:
        findings: of the study.
        verdicts: of the claims about it, shown in the order of their ids; none where there are no claims.
        study: its name, that of the folder of its results.
    """
    return rendered(
        "study.md",
        findings=findings,
        study=study,
        headlines=headlines(findings),
        decomposition=sentence(decomposition_of(findings)),
        components=decomposition_tables(decomposition_of(findings)),
        trust=trust_of(findings),
        personalisation=personalisation_of(findings),
        inheritance=inheritance_of(findings),
        wins_back=wins_back_of(findings),
        damage=damage_of(findings),
        scores=_score_rows(findings),
        balanced=any(row["format"] == LETTER_BALANCED for row in findings["scores"]),
        contrasts=_contrast_rows(sorted(findings["contrasts"], key=lambda row: KINDS.index(row["kind"]))),
        reductions=_reduction_rows(findings["reductions"]),
        methods=_method_table(findings["methods"]),
        verdicts=[
            (" ".join(one.claim.split()), one.status, one.reason) for one in sorted(verdicts, key=lambda one: one.id)
        ],
    )


def scores_figure(findings: Findings) -> str:
    """Return the score of each suite by cell, with intervals, as SVG; the same findings give the same bytes."""
    cells = {Cell(cell["environment"], cell["model"], cell["variant"]): cell["label"] for cell in findings["cells"]}
    with styled():
        return svg_text(draw_scores(_frame(findings["scores"]), findings["panels"], cells))


def decomposition_of(findings: Findings) -> Sequence[Mapping[str, Any]]:
    """Return the components of the edge build's excess; none where the study did not take it apart."""
    found: Sequence[Mapping[str, Any]] = findings.get("decomposition", ())
    return found


def decomposition_figure(findings: Findings) -> str | None:
    """Return the waterfalls as SVG; None where there is nothing to draw."""
    with styled():
        canvas = draw(decomposition_of(findings))
        return svg_text(canvas) if canvas is not None else None


def trust_of(findings: Findings) -> Mapping[str, Any] | None:
    """Return what the page says of trust; None where the study did not measure it."""
    if "trust" not in findings:
        return None
    found = judged_of(findings["trust"]["differences"])
    return {
        **findings["trust"],
        "finding": finding(found),
        "verdicts": verdict_table(found),
        "claims": claim_table(found),
        "caption": DIFFERENCES.caption,
    }


def trust_figure(findings: Findings) -> str | None:
    """Return the heat map of differences as SVG; None where there is nothing to draw."""
    if "trust" not in findings:
        return None
    with styled():
        canvas = draw_differences(judged_of(findings["trust"]["differences"]))
        return svg_text(canvas) if canvas is not None else None


def personalisation_of(findings: Findings) -> Mapping[str, Any] | None:
    """Return what the page says of who asks; None where the study does not ask as several identities."""
    found = findings.get("personalisation")
    if not found:
        return None
    return {
        "sentence": personalisation_sentence(found),
        "tables": personalisation_tables(found),
        "caption": PERSONALISATION.caption,
    }


def personalisation_figure(findings: Findings) -> str | None:
    """Return the plane of safety and utility as SVG; None where there is nothing to draw."""
    with styled():
        canvas = draw_personalisation(findings.get("personalisation", {}))
        return svg_text(canvas) if canvas is not None else None


def inheritance_of(findings: Findings) -> Mapping[str, Any] | None:
    """Return what the page says of self-written data; None where no build was trained on any."""
    found = findings.get("inheritance")
    if not found:
        return None
    return {
        "sentence": inheritance_sentence(found),
        "tables": inheritance_tables(found),
        "caption": INHERITANCE.caption,
        "limits": INHERITANCE_LIMITS,
    }


def inheritance_figure(findings: Findings) -> str | None:
    """Return bias against the share of self-written texts as SVG; None where there is nothing to draw."""
    with styled():
        canvas = draw_inheritance(findings.get("inheritance", {}))
        return svg_text(canvas) if canvas is not None else None


def wins_back_of(findings: Findings) -> Mapping[str, Any] | None:
    """Return what the page says of what vectors win back; None where the study did not compare them."""
    rows = findings.get("wins_back")
    if not rows:
        return None
    return {"sentence": wins_back_sentence(rows), "tables": wins_back_tables(rows), "caption": WINS_BACK.caption}


def wins_back_figure(findings: Findings) -> str | None:
    """Return what vectors win back and cost as SVG; None where there is nothing to draw."""
    with styled():
        canvas = draw_wins_back(findings.get("wins_back", ()))
        return svg_text(canvas) if canvas is not None else None


def damage_of(findings: Findings) -> Mapping[str, Any] | None:
    """Return what the page says of damaged pre-training; None where the study has none."""
    found = findings.get("damage")
    if not found:
        return None
    return {"finding": damage_finding(found), "parts": damage_parts(found), "caption": DAMAGE.caption}


def damage_figure(findings: Findings) -> str | None:
    """Return what damages cost, before transfer and after it, as SVG; None where there is nothing to draw."""
    with styled():
        canvas = draw_damage(findings.get("damage", {}))
        return svg_text(canvas) if canvas is not None else None


def with_findings(readme: str, findings: Findings, study: str, folder: str) -> str:
    """Return the README with its block of findings written anew.

    Args:
        readme: its text.
        findings: of the study.
        study: its name.
        folder: where the README finds the pages.

    Raises:
        InputError: the two marks are not there, once each and in order.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise InputError(f"README: needs {BEGIN} and {END}, each once, around the block that is written")
    block = rendered("readme.md", headlines=headlines(findings), study=study, folder=folder)
    return f"{before}{BEGIN}\n{block}{END}{after}"


def headlines(findings: Findings) -> tuple[str, str, str, str]:
    """Return what a reader takes home, with a number or two each: environments, builds, mitigation, changed answers."""
    contrasts = findings["contrasts"]
    elsewhere = [row for row in contrasts if row["kind"] == "environment"]
    builds = [row for row in contrasts if row["kind"] == "variant"]
    return (
        _environments(elsewhere, findings["several_models"]),
        _compression(builds),
        _mitigation(findings["reductions"]),
        changed_answers(findings.get("flips", ())),
    )


def changed_answers(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say how many answers change with the environment alone, and how many with the build alone.

    Args:
        rows: changed answers of each comparison, suite and format; an unchanged score can hide many.
    """
    told = []
    if elsewhere := [row for row in rows if row["kind"] == "environment"]:
        most = max(elsewhere, key=lambda row: float(row["changed"]))
        told.append(f"With the same weights, at most {number(most['changed'])} % of the answers change elsewhere.")
    if builds := [row for row in rows if row["kind"] == "variant"]:
        least, most = (pick(builds, key=lambda row: float(row["changed"])) for pick in (min, max))
        told.append(
            f"In a compressed build {number(least['changed'])} % ({_place(least)}) to {number(most['changed'])} % "
            f"({_place(most)}) do."
        )
    return " ".join(told) or "No two cells answered the same questions."


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['cell_a']}, {title_of(str(row['suite']))} by {str(row['format']).replace('_', ' ')}"


def _environments(rows: Sequence[Mapping[str, Any]], several_models: bool) -> str:
    if not rows:
        reason = ", so environment and model cannot be told apart" if several_models else ""
        return f"No build ran in two environments{reason}."
    detectable = _detectable(rows)
    if not detectable and all(row["difference"] == 0 for row in rows):
        return "The same weights score exactly the same in every environment."
    return (
        f"With the same weights, {_count(detectable, rows)} between environments {_is(detectable)} detectable after "
        f"correction. {_largest(detectable or rows, of_them=bool(detectable))}"
    )


def _compression(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "No compressed build was compared with the uncompressed one."
    detectable = _detectable(rows)
    return (
        f"Of compressed builds against the uncompressed one, {_count(detectable, rows)} {_is(detectable)} detectable "
        f"after correction. {_largest(detectable or rows, of_them=bool(detectable))}"
    )


def _detectable(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return those whose corrected p-value says so, and whose interval agrees."""
    return [
        row
        for row in rows
        if row["p_corrected"] is not None
        and row["p_corrected"] < ALPHA
        and row["low"] is not None
        and not row["low"] <= 0 <= row["high"]
    ]


def _count(some: Sequence[Any], rows: Sequence[Any]) -> str:
    return f"{len(some) or 'none'} of {len(rows)} differences"


def _is(some: Sequence[Any]) -> str:
    return "are" if len(some) > 1 else "is"


def _largest(rows: Sequence[Mapping[str, Any]], of_them: bool) -> str:
    row = max(rows, key=lambda row: abs(row["difference"]))
    size = f"{signed(row['difference'])} points {_brackets(row)}"
    what = f"{title_of(row['suite'])}, {_words(row['metric'])}: {row['cell_a']} against {row['cell_b']}"
    return f"The largest{' of them' if of_them else ''} is {size} ({what})."


def _mitigation(rows: Sequence[Mapping[str, Any]]) -> str:
    row = next((row for row in rows if row["method"] == _words(FEEDBACK_LOOP)), None)
    if row is None:
        return "No feedback loop was evaluated."
    if row["verdict"] == "undefined" or row["relative"] is None:
        return "On held-out items the loop had no measurable bias to remove, so nothing is claimed of it."
    limits = brackets(100 * _nan(row["relative_low"]), 100 * _nan(row["relative_high"]))
    values = f"{row['metric']} {number(row['before'])} to {number(row['after'])}, ideal {number(row['ideal'])}"
    return (
        f"On held-out items, the feedback loop removes {percent(row['relative'], 0)} {limits} of the distance from the "
        f"ideal ({values}). {VERDICTS[row['verdict']]}"
    )


VERDICTS = {
    "reduced": "The reduction survives the correction for the number of comparisons.",
    "raised": "That is an increase, and it survives the correction for the number of comparisons.",
    "uncorrected": "That does not survive the correction for the number of comparisons.",
    "unclear": "No effect is detectable.",
}
"""What each verdict on a reduction means, as a sentence."""


def _score_rows(findings: Findings) -> list[tuple[str, ...]]:
    labels = {(cell["environment"], cell["model"], cell["variant"]): cell["label"] for cell in findings["cells"]}
    return [
        (
            title_of(row["suite"]),
            f"{_words(row['metric'])} ({row['format']})",
            labels[row["environment"], row["model"], row["variant"]],
            _estimate(row),
            number(row["ideal"]),
            number(int(row["n"])),
            percent(_nan(row["coverage"])),
        )
        for row in findings["scores"]
    ]


def _contrast_rows(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (
            row["kind"],
            f"{row['cell_a']} minus {row['cell_b']}",
            title_of(row["suite"]),
            f"{_words(row['metric'])} ({row['format']})",
            f"{signed(row['difference'])} {_brackets(row)}",
            p_number(_nan(row["p_corrected"])),
            number(row["minimum_detectable_effect"]),
        )
        for row in rows
    ]


def _reduction_rows(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    return [
        (
            row["method"],
            row["metric"],
            _named(row, "before"),
            _named(row, "after"),
            _named(row, "relative", factor=100.0),
            p_number(_nan(row["p_corrected"])),
            row["verdict"],
        )
        for row in rows
    ]


def _method_table(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """Return a row for each method and a column for each score, with its head first."""
    keys = list(dict.fromkeys((row["suite"], row["metric"]) for row in rows))
    by_method: dict[str, dict[tuple[str, str], str]] = {}
    for row in rows:
        by_method.setdefault(row["method"], {})[row["suite"], row["metric"]] = _estimate(row)
    heads = ("method", *(f"{title_of(suite)} {_words(metric)}" for suite, metric in keys))
    return [
        heads,
        *((_words(name), *(found.get(key, "undefined") for key in keys)) for name, found in by_method.items()),
    ]


def _estimate(row: Mapping[str, Any]) -> str:
    return estimate(_nan(row["estimate"]), _nan(row["low"]), _nan(row["high"]))


def _named(row: Mapping[str, Any], name: str, factor: float = 1.0) -> str:
    """Return the estimate ``name`` of a row that has several, with its interval, times ``factor``."""
    value, low, high = (factor * _nan(row[key]) for key in (name, f"{name}_low", f"{name}_high"))
    return estimate(value, low, high)


def _brackets(row: Mapping[str, Any]) -> str:
    return brackets(_nan(row["low"]), _nan(row["high"]))


def _nan(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _frame(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(list(records))
    return table.assign(**{name: table[name].astype(float) for name in ("estimate", "low", "high", "ideal")})
