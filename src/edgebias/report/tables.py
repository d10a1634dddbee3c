"""The report's tables as plain rows of text, ready for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from edgebias.core.cell import Cell
from edgebias.mitigate.reductions import OVERVIEW
from edgebias.report.answer import KINDS, cell_name, held_out, reductions
from edgebias.report.numbers import ABSENT, interval, number, p_value, percent, signed
from edgebias.report.study import OUTCOMES, Study


@dataclass(frozen=True)
class Table:
    """A caption, column heads and rows of text.

    ``numeric`` columns are set flush right; values of ``unbroken`` columns stay on one line, as an estimate is read
    with its interval.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    unbroken: frozenset[int] = frozenset()


@dataclass(frozen=True)
class OutcomeBar:
    """Counts of the outcomes of one cell, suite and format; ``shares`` in percent of the responses."""

    label: str
    format: str
    counts: tuple[int, ...]
    shares: tuple[float, ...]
    total: int


def score_overview(study: Study, suite: str) -> tuple[Table, ...]:
    """Overall scores of a suite, one table a format: a row for each cell, a column for each metric."""
    rows = study.scores[(study.scores["suite"] == suite) & (study.scores["category"] == "all")]
    tables = []
    for form in sorted(rows["format"].unique(), key=lambda name: name != "likelihood"):
        part = rows[rows["format"] == form]
        metrics = list(dict.fromkeys(part["metric"]))
        ideals = {str(row["metric"]): number(_float(row["ideal"])) for _, row in part.iterrows()}
        listed = []
        for cell in study.cells:
            here = part[
                (part["environment"] == cell.environment)
                & (part["model"] == cell.model)
                & (part["variant"] == cell.variant)
            ].set_index("metric")
            if not here.empty:
                estimates = (_with_bounds(here.loc[name]) if name in here.index else ABSENT for name in metrics)
                smallest = percent(_float(here["coverage"].min()))
                listed.append((study.label(cell), *estimates, number(_count(here["n"].max())), smallest))
        heads = ("Cell", *(f"{name} (ideal {ideals[name]})" for name in metrics), "n (largest)", "Coverage (smallest)")
        caption = f"{title_of(suite)}, {form}: estimate [low, high]"
        tables.append(Table(caption, heads, tuple(listed), frozenset({len(heads) - 2, len(heads) - 1})))
    return tuple(tables)


def score_table(study: Study, suite: str) -> Table:
    """Every score of a suite with its n, clusters and coverage; overall rows first, then categories."""
    rows = study.scores[study.scores["suite"] == suite]
    order = {cell.path: position for position, cell in enumerate(study.cells)}
    listed = []
    for _, row in rows.iterrows():
        cell = _cell(row)
        category = str(row["category"])
        text = (
            study.label(cell),
            category,
            str(row["format"]),
            str(row["metric"]),
            _estimate(row),
            number(_float(row["ideal"])),
            number(_count(row["n"])),
            number(_count(row["n_clusters"])),
            percent(_float(row["coverage"])),
            interval(_float(row["bound_low"]), _float(row["bound_high"])),
        )
        key = (category != "all", category, str(row["format"]), str(row["metric"]), order[cell.path])
        listed.append((key, text))
    heads = (
        *("Cell", "Category", "Format", "Metric", "Estimate [low, high]", "Ideal", "n", "Clusters", "Coverage"),
        "If all had answered",
    )
    caption = f"{title_of(suite)}: every score with n, clusters and coverage"
    return Table(
        caption, heads, tuple(text for _, text in sorted(listed)), frozenset({5, 6, 7, 8}), unbroken=frozenset({4, 9})
    )


def contrast_table(study: Study) -> Table:
    """Every contrast that was computed."""
    listed = []
    for _, row in study.contrasts.iterrows():
        flips = f"{number(_float(row['flip_rate']))} %" if "flip_rate" in row.index else ABSENT
        listed.append(
            (
                cell_name(str(row["cell_a"]), study.several_models),
                cell_name(str(row["cell_b"]), study.several_models),
                title_of(str(row["suite"])),
                f"{row['metric']} ({row['format']})",
                f"{signed(_float(row['difference']))} {_limits(row)}",
                p_value(_float(row["p_corrected"])).removeprefix("p ").removeprefix("= "),
                number(_float(row["minimum_detectable_effect"])),
                flips,
                _family(row),
                str(row["kind"]),
            )
        )
    suites = [title_of(suite) for suite in study.suites]
    listed.sort(key=lambda r: (KINDS.index(r[9]), suites.index(r[2]) if r[2] in suites else 99, r[3], r[0], r[1]))
    return Table(
        "Paired differences, first cell minus second, on the same items; p corrected within the family named, with its "
        "number of comparisons",
        (
            "Cell",
            "minus",
            "Suite",
            "Metric (format)",
            "Difference [low, high]",
            "Corrected p",
            "Smallest detectable",
            "Changed answers",
            "Family (comparisons)",
        ),
        tuple(r[:9] for r in listed),
        frozenset({5, 6, 7}),
        unbroken=frozenset({4}),
    )


def _family(row: pd.Series) -> str:
    return f"{row.get('family', row.get('kind'))} ({number(_count(row.get('family_size')))})"


def outcome_bars(study: Study, suite: str) -> tuple[OutcomeBar, ...]:
    """What became of every response of a suite."""
    bars = []
    rows = study.outcomes[study.outcomes["suite"] == suite]
    for cell in study.cells:
        here = rows[
            (rows["environment"] == cell.environment)
            & (rows["model"] == cell.model)
            & (rows["variant"] == cell.variant)
        ]
        for _, row in here.sort_values("format").iterrows():
            counts = tuple(int(row[name]) for name in OUTCOMES)
            total = sum(counts)
            shares = tuple(round(100 * count / total, 2) if total else 0.0 for count in counts)
            bars.append(OutcomeBar(study.label(cell), str(row["format"]), counts, shares, total))
    return tuple(bars)


def over_time_table(study: Study) -> Table | None:
    """Slopes and rates of the rounds; the category of an over-time score is its mode."""
    table = study.over_time
    if table.empty:
        return None
    rows = tuple(
        (
            study.label(_cell(row)),
            str(row["category"]),
            str(row["metric"]),
            _estimate(row, 4),
            p_value(_float(row.get("p"))).removeprefix("p ").removeprefix("= "),
            str(row["reason"]) if isinstance(row.get("reason"), str) else "",
        )
        for _, row in table.iterrows()
    )
    heads = ("Cell", "Mode", "Metric", "Estimate [low, high]", "p", "Note")
    caption = "Slopes and rates over the rounds, by cell and mode"
    return Table(caption, heads, rows, frozenset({4}), unbroken=frozenset({3}))


def variant_table(study: Study) -> Table:
    """What compression really did to each build, read from the file."""
    rows = tuple(
        (
            str(record["model"]),
            str(record["variant"]),
            str(record.get("requested_type", ABSENT)),
            number(_float(record.get("bits_per_weight"))),
            number(_float(record.get("file_bytes")) / 1e6),
            number(_float(record.get("zstd_bytes")) / 1e6),
            percent(_float((record.get("sparsity") or {}).get("overall")), 2),
            number(perplexity_of(record)),
            ", ".join(f"{name} ({use['tensors']})" for name, use in sorted(record.get("types", {}).items())),
            "; ".join(_replacement(item) for item in record.get("replaced", [])) or "none",
        )
        for record in study.variants
    )
    return Table(
        "Builds as found on disk",
        (
            "Model",
            "Build",
            "Type asked for",
            "Bits per weight",
            "Size (MB)",
            "Packed (MB)",
            "Zero weights",
            "Perplexity",
            "Types found (tensors)",
            "Replaced",
        ),
        rows,
        frozenset({3, 4, 5, 6, 7}),
    )


def parity_table(study: Study) -> Table:
    """The gate: the same weights must agree across backends before environments are compared."""
    listed = []
    for model, record in study.parity.items():
        limits = record.get("tolerances", {})
        for suite, values in sorted(record.get("suites", {}).items()):
            listed.append(
                (
                    model,
                    title_of(suite),
                    number(values["n_items"]),
                    number(_float(values["max_abs_difference"]), 4),
                    number(_float(values["p99_abs_difference"]), 4),
                    number(_float(values["mean_abs_difference"]), 4),
                    percent(_float(values["agreement"])),
                )
            )
        listed.append(
            (
                model,
                "Gate passed" if record.get("passed") else f"GATE FAILED: {'; '.join(record.get('failures', []))}",
                "tolerance",
                number(_float(limits.get("max_abs_difference"))),
                number(_float(limits.get("p99_abs_difference"))),
                number(_float(limits.get("mean_abs_difference"))),
                percent(_float(limits.get("min_agreement"))),
            )
        )
    differences = tuple(f"{which} difference (nats)" for which in ("Largest", "99 % quantile of the", "Mean"))
    heads = ("Model", "Suite", "Items", *differences, "Same preferred option")
    return Table("Parity of the backends", heads, tuple(listed), frozenset({2, 3, 4, 5, 6}))


def method_table(study: Study) -> Table:
    """A row for each method: bias, what it must not spoil, and coverage, on the same held-out items.

    What a method costs is in a table of its own: with both, the table is wider than the page.
    """
    rows = held_out(study.mitigation)
    rows = rows[rows["category"] == "all"]
    scores = {tuple(row[["method", "suite", "format", "metric"]]): row for _, row in rows.iterrows()}
    columns = [column for column in OVERVIEW if any(key[1:] == column for key in scores)]
    listed = []
    for method in study.methods:
        found = [scores.get((method, *column)) for column in columns]
        covered = [_float(row["coverage"]) for row in found if row is not None]
        estimates = (ABSENT if row is None else _estimate(row) for row in found)
        listed.append((title_of(method), *estimates, percent(min(covered)) if covered else ABSENT))
    ideals = {key[1:]: _float(row["ideal"]) for key, row in scores.items()}
    titles = [
        f"{title_of(suite)} {metric.replace('_', ' ')}"
        + (f" (ideal {number(ideals[suite, form, metric])})" if math.isfinite(ideals[suite, form, metric]) else "")
        for suite, form, metric in columns
    ]
    heads = ("Method", *titles, "Coverage (smallest)")
    caption = (
        f"Methods of mitigation on the same held-out items, likelihood format, on {study.label(study.builds['edge'])}. "
        "Always unknown and always refuse are controls: no model is asked"
    )
    return Table(caption, heads, tuple(listed), frozenset({len(heads) - 1}))


def mitigation_table(study: Study) -> Table:
    """Held-out scores: a row for each metric, a column for each method."""
    rows = held_out(study.mitigation)
    rows = rows[rows["category"] == "all"]
    listed = []
    for (suite, form, metric), part in rows.groupby(["suite", "format", "metric"], sort=True):
        by_method = {str(row["method"]): row for _, row in part.iterrows()}
        estimates = (_estimate(by_method[name]) if name in by_method else ABSENT for name in study.methods)
        first = part.iloc[0]
        listed.append(
            (
                title_of(str(suite)),
                f"{metric} ({form})",
                *estimates,
                number(_float(first["ideal"])),
                number(_count(part["n"].max())),
                percent(_float(part["coverage"].min())),
            )
        )
    methods = tuple(title_of(name) for name in study.methods)
    heads = ("Suite", "Metric (format)", *methods, "Ideal", "n", "Coverage (smallest)")
    caption = f"Held-out scores of each method, estimate [low, high], on {study.label(study.builds['edge'])}"
    return Table(caption, heads, tuple(listed), frozenset(range(len(heads) - 3, len(heads))))


def reduction_table(study: Study) -> Table | None:
    """How far each method brings each suite and category to its ideal, and whether there was bias to reduce."""
    table = held_out(study.mitigation)
    if "headroom" not in table.columns:
        return None
    rows = table[(table["metric"] == "reduction") & (table["n"] > 0)]
    keys = ["method", "suite", "format", "category"]
    shares = {tuple(row[keys]): row for _, row in table[table["metric"] == "relative_reduction"].iterrows()}
    listed = []
    for _, row in rows.iterrows():
        method, suite, form, category = (str(row[name]) for name in keys)
        share = shares[(method, suite, form, category)]
        text = (
            title_of(method),
            title_of(suite),
            category,
            form,
            f"{signed(_float(row['estimate']))} {_limits(row)}",
            _estimate(share),
            p_value(_float(row["p_corrected"])).removeprefix("p ").removeprefix("= "),
            number(_float(row["minimum_detectable_effect"])),
            _family(row),
            str(row["headroom"]),
        )
        listed.append(((study.methods.index(method), suite, category != "all", category, form), text))
    heads = (
        "Method",
        "Suite",
        "Category",
        "Format",
        "Distance from the ideal removed (points) [low, high]",
        "Relative (%) [low, high]",
        "Corrected p",
        "Smallest detectable (points)",
        "Family (comparisons)",
        "Headroom",
    )
    caption = (
        "Bias removed by each method against none, on the same held-out items. A row without headroom is no evidence "
        "of mitigation: its bias before is within its own noise"
    )
    return Table(
        caption, heads, tuple(text for _, text in sorted(listed)), frozenset({6, 7}), unbroken=frozenset({4, 5})
    )


def cost_table(study: Study) -> Table:
    """Speed of each cell: sums over suites of times and counts, means averaged; prompts alone by their median."""
    listed = []
    for cell, rows in _costs(study):
        answers, seconds = _answers_and_seconds(rows)
        tokens = _sum(rows, "prompt_tokens") + _sum(rows, "scored_tokens") + _sum(rows, "generated_tokens")
        busy = _sum(rows, "backend_seconds")
        listed.append(
            (
                study.label(cell),
                str(rows["backend"].iloc[0]) if "backend" in rows else ABSENT,
                number(answers),
                number(seconds),
                number(_ratio(answers, seconds)),
                number(_mean(rows, "ms_per_answer.likelihood.mean")),
                number(_mean(rows, "ms_per_answer.letter.mean")),
                number(_ratio(tokens, busy)),
                number(1000 * _median(rows, "alone.first_token_seconds")),
                number(_whole(_median(rows, "alone.prompt_tokens"))),
                number(_median(rows, "alone.prompt_tokens_per_second")),
                number(_median(rows, "alone.generated_tokens_per_second")),
            )
        )
    heads = (
        "Cell",
        "Backend",
        "Answers",
        "Seconds",
        "Answers/s",
        "ms per likelihood answer",
        "ms per letter answer",
        "Tokens/s",
        "Alone: ms to first token",
        "Alone: prompt tokens",
        "Alone: prompt tokens/s",
        "Alone: generated tokens/s",
    )
    caption = (
        "Speed of each cell (means within a suite, averaged over suites; a prompt alone by its median over suites)"
    )
    return Table(caption, heads, tuple(listed), frozenset(range(2, len(heads))))


def resource_table(study: Study) -> Table:
    """Memory, processor time and energy of each cell beside its limits; the largest peak over suites."""
    listed = []
    for cell, rows in _costs(study):
        answers, _ = _answers_and_seconds(rows)
        environment = study.environments.get(cell.environment, {})
        joules = _sum(rows, "energy.joules")
        busy = _sum(rows, "processor_seconds") if "processor_seconds" in rows else math.nan
        listed.append(
            (
                study.label(cell),
                number(environment.get("threads")),
                number(_largest(rows, "peak_memory_mb")),
                _memory_limit(environment),
                number(1000 * _ratio(busy, answers)),
                number(_ratio(joules, answers)) if joules > 0 else _first(rows, "energy.reason") or "not exposed",
            )
        )
    heads = (
        "Cell",
        "Threads",
        "Peak memory (MB)",
        "Memory limit (MB)",
        "Processor ms per answer",
        "Energy per answer (J)",
    )
    caption = "Memory, processor time and energy of each cell; a server that a cell started is counted in"
    return Table(caption, heads, tuple(listed), frozenset({1, 2, 4}))


def _costs(study: Study) -> list[tuple[Cell, pd.DataFrame]]:
    """The cost rows of each cell, one a suite."""
    table = study.costs
    return [
        (
            cell,
            table[
                (table["environment"] == cell.environment)
                & (table["model"] == cell.model)
                & (table["variant"] == cell.variant)
            ],
        )
        for cell in study.cells
    ]


def _answers_and_seconds(rows: pd.DataFrame) -> tuple[float, float]:
    answers, seconds = (
        sum(_sum(rows, column) for column in rows.columns if column.startswith(prefix))
        for prefix in ("answers.", "seconds.")
    )
    return answers, seconds


def _memory_limit(environment: Mapping[str, Any]) -> str:
    """The limit with whether the operating system enforces it, which it does for llama.cpp's process alone."""
    limit = environment.get("memory_mb")
    if limit is None:
        return "none"
    return f"{number(limit)}, {'enforced' if environment.get('backend') == 'llama' else 'not enforced'}"


def not_asked(study: Study) -> tuple[str, ...]:
    """What a backend could not be asked, with its reason."""
    found = set()
    for _, row in study.costs.iterrows():
        for column in study.costs.columns:
            if column.startswith("skipped.") and isinstance(row[column], str):
                found.add(f"{study.label(_cell(row))}: {column.removeprefix('skipped.')} ({row[column]})")
    return tuple(sorted(found))


def _sum(rows: pd.DataFrame, column: str) -> float:
    return float(pd.to_numeric(rows[column]).sum()) if column in rows.columns else 0.0


def _mean(rows: pd.DataFrame, column: str) -> float:
    return float(pd.to_numeric(rows[column]).mean()) if column in rows.columns else math.nan


def _median(rows: pd.DataFrame, column: str) -> float:
    return float(pd.to_numeric(rows[column]).median()) if column in rows.columns else math.nan


def _largest(rows: pd.DataFrame, column: str) -> float:
    return float(pd.to_numeric(rows[column]).max()) if column in rows.columns else math.nan


def _first(rows: pd.DataFrame, column: str) -> str:
    """The first text of a column, or none."""
    texts = [str(value) for value in rows[column].dropna() if str(value)] if column in rows.columns else []
    return texts[0] if texts else ""


def _ratio(amount: float, whole: float) -> float:
    return amount / whole if whole > 0 else math.nan


COSTS_OF_A_METHOD = (
    ("backend_seconds", "Backend (s)"),
    ("ms_per_answer.likelihood.mean", "ms per likelihood answer"),
    ("generation_ms_per_token", "Written token (ms)"),
    ("generation_ms_per_token_ratio", "Written token, times without"),
    ("prefill_ms_per_token_ratio", "Read token, times without"),
    ("peak_memory_mb", "Peak memory (MB)"),
    ("control_vector_bytes", "Control vector (bytes)"),
)
"""What a reader weighs a method by: column of the cost records, and its head."""
GATE = "gate_opened."
"""Columns of the share of requests at which the gate of a method opened, by suite."""


def mitigation_cost_overview(study: Study) -> Table | None:
    """A row for each method with the costs that tell methods apart; None where no cost of these was recorded."""
    costs = study.mitigation_costs
    columns = [(name, head) for name, head in COSTS_OF_A_METHOD if name in costs and costs[name].notna().any()]
    gates = [str(name) for name in costs if str(name).startswith(GATE)]
    if not columns:
        return None
    rows = tuple(
        (
            title_of(str(row["method"])),
            *(number(_float(row[name])) for name, _ in columns),
            *([_gate_shares(row, gates)] if gates else []),
        )
        for _, row in costs.iterrows()
    )
    heads = ("Method", *(head for _, head in columns), *(["Gate opened (share of requests)"] if gates else []))
    caption = (
        "Cost of each method. Times were taken while other jobs shared the cores and differ from run to run; the "
        "quiet, paired measurement is benchmarks/control_vector_cost.py, its numbers are in "
        "docs/results/performance.md. Without: the same build without the method"
    )
    return Table(caption, heads, rows, frozenset(range(1, len(columns) + 1)))


def _gate_shares(row: pd.Series, gates: list[str]) -> str:
    shares = {name.removeprefix(GATE): _float(row[name]) for name in gates}
    texts = [f"{title_of(name)} {percent(share)}" for name, share in shares.items() if math.isfinite(share)]
    return ", ".join(texts).replace(" %", "\N{NO-BREAK SPACE}%") or ABSENT


def mitigation_cost_table(study: Study) -> Table | None:
    """Every cost of each method."""
    if study.mitigation_costs.empty:
        return None
    numbers = study.mitigation_costs.select_dtypes("number").dropna(axis="columns", how="all")
    rows = tuple(
        (title_of(column.replace(".", " › ")), *(number(_whole(value)) for value in numbers[column]))
        for column in sorted(numbers.columns)
    )
    heads = ("Quantity", *(title_of(str(method)) for method in study.mitigation_costs["method"]))
    return Table("Every cost of each method", heads, rows, frozenset(range(1, len(heads))))


def _whole(value: Any) -> float | int:
    """A whole number as such: a table of counts says 1 thread, not 1.00."""
    value = _float(value)
    return int(value) if value.is_integer() else value


def headline_table(study: Study) -> Table:
    """The comparisons that stand beside the paper's, as this study computed them."""
    rows = []
    edge = cell_name(str(study.headline.get("edge_build", "")), study.several_models)
    for entry in study.headline.get("relative_excess", []):
        low, high = _float(entry.get("low")), _float(entry.get("high"))
        rows.append(
            (
                f"{number(_float(entry['excess_percent']))} %",
                interval(low, high),
                f"Relative excess of {edge} over {cell_name(str(entry['reference']), study.several_models)}",
                f"{title_of(study.headline['suite'])}, {entry['format']}, by {_reading(entry)}",
                str(entry.get("reason") or ""),
            )
        )
    for entry in study.headline.get("over_time_relative_excess", []):
        rows.append(
            (
                f"{number(_float(entry['excess_percent']))} %",
                ABSENT,
                f"The same over all rounds, over {cell_name(str(entry['reference']), study.several_models)}",
                f"{str(entry['mode']).capitalize()} rounds, by {_reading(entry)}",
                "too few conversations for an interval",
            )
        )
    rows += [
        (
            percent(reduction.relative_bias),
            interval(100 * reduction.relative_low, 100 * reduction.relative_high),
            f"Distance from the ideal value removed by {reduction.method}",
            f"Held-out items: {number(reduction.before)} before, {number(reduction.after)} after, ideal "
            f"{number(reduction.ideal)}",
            reduction.verdict,
        )
        for reduction in reductions(study)
    ]
    heads = ("Value", "[low, high]", "What it is", "How", "Remark")
    return Table("Computed here", heads, tuple(rows), unbroken=frozenset({1}))


def _reading(entry: Mapping[str, Any]) -> str:
    return title_of(str(entry["reading"])).lower()


def paper_table(study: Study) -> Table:
    """Numbers printed in papers, each with its place; never computed here."""
    rows = tuple(
        (
            f"{number(_float(row['value']), 4)} {row['unit']}",
            str(row["what"]),
            f"{row['source']}, {row['section']}",
            str(row["note"]),
        )
        for _, row in study.paper.iterrows()
    )
    return Table("Printed in the paper", ("Value", "What the paper says it is", "Where", "How far it compares"), rows)


def provenance_table(study: Study) -> Table:
    """What made these numbers."""
    return Table("What made these numbers", ("Item", "Value"), tuple(_walk(study.provenance, "")))


def _walk(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        found = []
        for key in sorted(value):
            found += _walk(value[key], f"{name} › {key}" if name else str(key))
        return found
    if isinstance(value, float):
        return [(name, number(value))]
    if isinstance(value, list):
        return [(name, ", ".join(str(item) for item in value))]
    return [(name, ABSENT if value is None else str(value))]


def _cell(row: pd.Series) -> Cell:
    return Cell(str(row["environment"]), str(row["model"]), str(row["variant"]))


def _estimate(row: pd.Series, digits: int = 3) -> str:
    estimate = _float(row["estimate"])
    if not math.isfinite(estimate):
        return "undefined"
    return f"{number(estimate, digits)} {_limits(row, digits)}"


def _limits(row: pd.Series, digits: int = 3) -> str:
    """The interval beside an estimate; where there is none, brackets that say so."""
    text = interval(_float(row["low"]), _float(row["high"]), digits)
    return text if text != ABSENT else f"[{ABSENT}]"


def _with_bounds(row: pd.Series) -> str:
    """The estimate, and where answers are missing the scores that they could have made of it."""
    low, high = _float(row["bound_low"]), _float(row["bound_high"])
    if not (_float(row["coverage"]) < 1 and low < high):
        return _estimate(row)
    return f"{_estimate(row)}; if all had answered {interval(low, high)}"


def perplexity_of(record: Mapping[str, Any]) -> float:
    """A build's perplexity on the neutral texts, or NaN."""
    value = record.get("perplexity")
    return _float(value.get("value") if isinstance(value, Mapping) else None)


def _replacement(item: Mapping[str, Any]) -> str:
    family = str(item["family"]).removeprefix("blk.*.").removesuffix(".weight")
    return f"{family}: {item['found']} ({item['tensors']}, {item['reason']})"


def _float(value: Any) -> float:
    return float(value) if value is not None else math.nan


def _count(value: Any) -> int | None:
    return int(value) if value is not None and math.isfinite(float(value)) else None


def title_of(name: str) -> str:
    """A suite's own spelling, or a key as words."""
    special = {
        "bbq": "BBQ",
        "stereoset": "StereoSet",
        "crows_pairs": "CrowS-Pairs",
        "winobias": "WinoBias",
        "winogender": "Winogender",
        "bold": "BOLD",
    }
    return special.get(name, name.replace("_", " ").capitalize())
