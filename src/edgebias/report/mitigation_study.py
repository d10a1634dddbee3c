"""The mitigation study as one page of Markdown: every method on the same held-out items, the loop, and what ran."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.files import read_json, read_table
from edgebias.core.settings import parse_settings
from edgebias.mitigate.card import END
from edgebias.mitigate.overall import Key, overall_reductions, overall_scores, title
from edgebias.mitigate.preserved_texts import NEUTRAL_TEXT, PERPLEXITY_RISE, REFERENCE_ANSWERS
from edgebias.mitigate.reductions import MITIGATION_COLUMNS, overview
from edgebias.mitigate.registry import NONE, OPEN_LOOP, ChosenMethod, choose_all, frontier_gains
from edgebias.mitigate.steering.utility import Questions
from edgebias.report.abstention import HEADS, abstention_rows
from edgebias.report.before_after import draw as draw_before_after
from edgebias.report.canvas import svg_text
from edgebias.report.figures import styled
from edgebias.report.markdown import rendered
from edgebias.report.numbers import ABSENT, number, p_number
from edgebias.report.sections.frontier import PUBLISHED
from edgebias.report.sections.frontier import draw as draw_frontier
from edgebias.report.table import score_text
from edgebias.suites.formats import LIKELIHOOD

ASKED = tuple(field.name for field in fields(Questions))
"""Columns that the trajectory has where the guard asks questions."""

TRAJECTORY = (
    "round",
    "bias",
    "gain",
    "perplexity",
    "answers_perplexity",
    *ASKED,
    "guard",
    "pass_bias",
    "pass_low",
    "pass_high",
)
"""Columns of the loop's trajectory that the page shows."""

Scores = Mapping[str, pd.DataFrame]
"""The table of scores of each method."""


@dataclass(frozen=True)
class Part:
    """A run of the study with one seed.

    Attributes:
        folder: ``results/mitigation/{environment}/{model}/{variant}``.
        methods: those that its configuration names. Folders of others may be left from another one.
    """

    folder: Path
    methods: Mapping[str, ChosenMethod]

    def scores(self) -> dict[str, pd.DataFrame]:
        """Return the table of scores of each method that has run, in the order of the configuration.

        Raises:
            InputError: none has run, or a table is unreadable.
        """
        paths = {name: self.folder / name / "scores.csv" for name in self.methods}
        found = {name: read_table(path, MITIGATION_COLUMNS) for name, path in paths.items() if path.exists()}
        if not found:
            raise InputError(
                f"{self.folder}: has scores of none of {list(self.methods)}; "
                "run `snakemake --cores 4 -- mitigation` first"
            )
        return found

    def loops(self) -> list[str]:
        """Return the labels of the methods whose gains the feedback loop finds."""
        return [name for name, method in self.methods.items() if method.is_loop]


def methods_of(configuration: Path) -> dict[str, ChosenMethod]:
    """Return ``study.methods`` of a YAML file, by label.

    Raises:
        InputError: it is unreadable or names none.
    """
    found = parse_settings(f"{configuration}#study").get("methods")
    if not isinstance(found, list) or not found:
        raise InputError(f"{configuration}: study.methods must be a list of methods; name those of the study")
    return choose_all(found, f"{configuration}: study.methods")


REPEATED = (
    ("stereoset", LIKELIHOOD, "ss"),
    ("stereoset", LIKELIHOOD, "lms"),
    *(
        ("bbq", LIKELIHOOD, name)
        for name in ("sAMB", "accuracy_ambiguous", "accuracy_disambiguated", "false_abstention")
    ),
    (NEUTRAL_TEXT, LIKELIHOOD, PERPLEXITY_RISE),
    (REFERENCE_ANSWERS, LIKELIHOOD, PERPLEXITY_RISE),
)
"""What the table of repeats shows of what every seed has measured: bias, and what steering must not cost."""


def page(
    part: Part,
    provenance: Path,
    repeats: Sequence[Part] = (),
    items: Sequence[Path] = (),
    figure: str | None = None,
    before_after: str | None = None,
    command: str = "make mitigation-study",
) -> str:
    """Write the page.

    Args:
        part: every method.
        provenance: what that run left of itself.
        repeats: some methods with other seeds, so with other splits.
        items: BBQ's items of ``part`` and of each repeat, for the table that asks whether it is only the length.
        figure: where the page finds the drawing of `frontier`, or None.
        before_after: where the page finds the drawing of that name, or None.
        command: what makes the page.

    Raises:
        InputError: a file is absent or unreadable, or no method was evaluated.
    """
    folder, scores = part.folder, part.scores()
    paths = {name: folder / name / "cost.json" for name in scores}
    return rendered(
        "mitigation.md",
        cell="/".join(folder.parts[-3:]),
        command=command,
        score_heads=("method", *map(title, overview())),
        scores=_score_rows(scores),
        missing=[_title(name) for name in part.methods if name not in scores],
        reductions=_reduction_rows(scores),
        figure=figure,
        published=PUBLISHED,
        repeats=_repeats([part, *repeats]) if repeats else None,
        before_after=before_after,
        abstention_heads=HEADS,
        abstention=[
            (_seed(one.folder), abstention_rows(one.folder, list(one.methods), path))
            for one, path in zip([part, *repeats], items, strict=False)
        ],
        costs=_cost_rows({name: read_json(path) for name, path in paths.items() if path.exists()}),
        loops=[_trajectory(folder, name) for name in part.loops() if name in scores],
        ran=_what_ran(read_json(provenance)),
    )


def _trajectory(folder: Path, loop: str) -> tuple[str, list[str], list[tuple[str, ...]]]:
    """Return title, heads and rows of a loop's trajectory."""
    table = read_table(folder / loop / "trajectory.csv", [name for name in TRAJECTORY if name not in ASKED])
    shown = table[[name for name in TRAJECTORY if name in table]]
    rows = [tuple(_count_or_number(float(value)) for value in row) for row in shown.to_numpy(dtype=float)]
    return _title(loop), list(shown.columns), rows


def frontier(part: Part) -> str:
    """Return the frontier as SVG.

    Raises:
        InputError: no method was evaluated, or not without mitigation and at two gains of the open loop.
    """
    with styled():
        canvas = draw_frontier(part.scores(), frontier_gains(part.methods))
        if canvas is None:
            raise InputError(
                f"{part.folder}: has no frontier; add {NONE}, {OPEN_LOOP} and {{method: {OPEN_LOOP}, gain: 2}} "
                "to study.methods"
            )
        return svg_text(canvas)


def before_after(parts: Sequence[Part]) -> str:
    """Return every score that all splits have measured, without mitigation and under the loops, as SVG.

    Raises:
        InputError: a part has no scores.
    """
    scores = [(part, part.scores()) for part in parts]
    splits = {
        f"split {_seed(part.folder)}": {name: of[name] for name in (NONE, *part.loops()) if name in of}
        for part, of in scores
    }
    with styled():
        return svg_text(draw_before_after(splits, _measured_everywhere([of for _, of in scores])))


def _measured_everywhere(splits: Collection[Scores]) -> list[Key]:
    """Return what of `REPEATED` every split has measured for some method."""
    measured = set.intersection(*({key for table in of.values() for key in overall_scores(table)} for of in splits))
    return [key for key in REPEATED if key in measured]


def _seed(folder: Path) -> int:
    return int(read_table(folder / NONE / "responses.parquet", ("seed",))["seed"].iloc[0])


def _repeats(parts: Sequence[Part]) -> dict[str, Any]:
    """Return the heads and rows of the table of repeats, and the mean of each method over the seeds."""
    rows: list[tuple[str, ...]] = []
    removed: dict[str, list[float]] = {}
    scores = {part.folder: part.scores() for part in parts}
    everywhere = set.intersection(*map(set, scores.values()))
    shown = _measured_everywhere(scores.values())
    heads = (
        "seed",
        "method",
        *map(title, shown),
        "distance removed, per cent",
        "loop",
    )
    for folder, methods in scores.items():
        seed = str(_seed(folder))
        for name, table in methods.items():
            if name not in everywhere:
                continue
            found = overall_scores(table)
            share = [
                one.percent for one in overall_reductions(table) if (one.suite, one.format) == ("stereoset", LIKELIHOOD)
            ]
            for one in share:
                removed.setdefault(name, []).append(one.estimate)
            rows.append(
                (
                    seed,
                    _title(name),
                    *(score_text(found[key], ABSENT) if key in found else ABSENT for key in shown),
                    score_text(share[0], ABSENT) if share else ABSENT,
                    _loop(folder / name) if parts[0].methods[name].is_loop else "",
                )
            )
    means = [
        f"{_title(name)}: mean over {len(values)} seeds {number(mean(values))} per cent, "
        f"from {number(min(values))} to {number(max(values))}"
        for name, values in removed.items()
        if len(values) == len(parts)
    ]
    return {"heads": heads, "rows": rows, "means": means}


def _loop(folder: Path) -> str:
    """Return where a loop came to rest, and why."""
    state = read_json(folder / "state.json")
    return f"gain {number(max(map(abs, state['gains'])))}, {END[state['stopped']]}"


def _score_rows(scores: Scores) -> list[tuple[str, ...]]:
    overall = {name: overall_scores(table) for name, table in scores.items()}
    return [
        (_title(name), *(score_text(found[key], ABSENT) if key in found else ABSENT for key in overview()))
        for name, found in overall.items()
    ]


def _reduction_rows(scores: Scores) -> list[tuple[str, ...]]:
    return [
        (
            _title(name),
            found.suite if found.format == LIKELIHOOD else f"{found.suite} ({found.format})",
            score_text(found.points, ABSENT),
            score_text(found.percent, ABSENT),
            p_number(found.p_corrected),
            found.headroom,
        )
        for name, table in scores.items()
        for found in overall_reductions(table)
    ]


def _cost_rows(costs: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    keys = ("control_vector_bytes", "prefill_ms_per_token_ratio", "generation_ms_per_token_ratio")
    paired = {name: cost for name, cost in costs.items() if keys[1] in cost}
    return [(_title(name), *(number(cost.get(key)) for key in keys)) for name, cost in paired.items()]


def _what_ran(provenance: Mapping[str, Any]) -> list[str]:
    machine, files = provenance["machine"], provenance["files"]
    listed = [f"commit {provenance['git']['commit']}", f"{machine['cores']} cores, {machine['memory_mb']} MB"]
    return listed + [f"`{name}`: sha256 {entry['sha256'][:16]}…" for name, entry in sorted(files.items())]


def _count_or_number(value: float) -> str:
    return str(int(value)) if value.is_integer() else number(value)


def _title(name: str) -> str:
    return name.replace("_", " ")
