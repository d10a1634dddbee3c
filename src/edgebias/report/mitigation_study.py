"""The mitigation study as one page of Markdown: every method on the same held-out items, the loop, and what ran."""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd

from edgebias.core.errors import InputError, run_stage
from edgebias.core.files import read_json, read_table, write_text
from edgebias.core.settings import parse_settings
from edgebias.infer.answer import LIKELIHOOD
from edgebias.mitigate.card import END
from edgebias.mitigate.overall import Key, overall_reductions, overall_scores, title
from edgebias.mitigate.preserved_texts import NEUTRAL_TEXT, PERPLEXITY_RISE, REFERENCE_ANSWERS
from edgebias.mitigate.reductions import MITIGATION_COLUMNS, OVERVIEW
from edgebias.mitigate.registry import LOOPS, NONE, OPEN_LOOP
from edgebias.mitigate.steering.utility import Questions
from edgebias.report.before_after import draw as draw_before_after
from edgebias.report.canvas import svg_text
from edgebias.report.figures import styled
from edgebias.report.numbers import ABSENT, number, p_number
from edgebias.report.sections.frontier import PUBLISHED
from edgebias.report.sections.frontier import draw as draw_frontier
from edgebias.report.table import score_text

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

EXAMPLE = """example:
  python -m edgebias.report.mitigation_study --folder results/mitigation/edge/M/wanda50_q8_0 --study params.yaml \\
    --provenance results/provenance.json --markdown docs/results/mitigation.md --figure docs/results/frontier.svg
  python -m edgebias.report.mitigation_study --folder 1/results/mitigation/edge/M/wanda50_q8_0 \\
    --study config/mitigation.yaml --repeats 2/results/mitigation/edge/M/wanda50_q8_0 \\
    3/results/mitigation/edge/M/wanda50_q8_0 --repeated-study config/mitigation_repeat.yaml \\
    --provenance 1/results/provenance.json --markdown docs/results/mitigation.md
"""

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
    methods: Sequence[str]

    def scores(self) -> dict[str, pd.DataFrame]:
        """The table of scores of each method that has run, in the order of the configuration.

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


def methods_of(configuration: Path) -> list[str]:
    """``study.methods`` of a YAML file.

    Raises:
        InputError: it is unreadable or names none.
    """
    found = parse_settings(f"{configuration}#study").get("methods")
    if not isinstance(found, list) or not found:
        raise InputError(f"{configuration}: study.methods must be a list of methods; name those of the study")
    return list(map(str, found))


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
    figure: str | None = None,
    before_after: str | None = None,
    command: str = "make mitigation-study",
) -> str:
    """The page.

    Args:
        part: every method.
        provenance: what that run left of itself.
        repeats: some methods with other seeds, so with other splits.
        figure: where the page finds the drawing of `frontier`, or None.
        before_after: where the page finds the drawing of that name, or None.
        command: what makes the page.

    Raises:
        InputError: a file is absent or unreadable, or no method was evaluated.
    """
    folder, scores = part.folder, part.scores()
    costs = {name: read_json(folder / name / "cost.json") for name in scores}
    missing = [_title(name) for name in part.methods if name not in scores]
    parts = [
        f"# Mitigation study: {'/'.join(folder.parts[-3:])}",
        f"Written by `{command}`. Methods and rules: [the loop](../design/loop.md). Estimate [95 % "
        "interval over clusters] on held-out items, likelihood format.",
        "## Methods",
        _table(("method", *map(title, OVERVIEW)), _score_rows(scores)),
        *([f"Of the study's methods these have not run: {', '.join(missing)}."] if missing else []),
        "## Distance from the ideal removed, against none",
        _table(("method", "suite", "points", "per cent", "corrected p", "bias to remove?"), _reduction_rows(scores)),
    ]
    if figure:
        parts += [
            f"![Distance of ss from 50 that each method removes, against what it costs]({figure})",
            "The line joins the gains of the learned vectors without the loop; grey is over budget, dotted are the "
            f"{PUBLISHED} % of the seed paper.",
        ]
    if repeats:
        parts += _repeats([part, *repeats])
    if before_after:
        parts += [f"![Scores of every split as it is and under the loops]({before_after})", "Dashed: the ideal."]
    cost = _cost_rows(costs)
    if cost:
        heads = ("method", "bytes of vectors", *(f"{kind} token, times none" for kind in ("read", "written")))
        parts += ["## Cost", _table(heads, cost)]
        parts += ["With and without the vector in turn, in one process; the median of the pairs' ratios."]
    for loop in (name for name in LOOPS if name in scores):
        table = read_table(folder / loop / "trajectory.csv", [name for name in TRAJECTORY if name not in ASKED])
        rows = table[[name for name in TRAJECTORY if name in table]]
        listed = [tuple(_count_or_number(float(value)) for value in row) for row in rows.to_numpy(dtype=float)]
        parts += [f"## The {_title(loop)}, on calibration items", _table(list(rows.columns), listed)]
    parts += ["## What ran", _what_ran(read_json(provenance))]
    return "\n\n".join(parts) + "\n"


def frontier(part: Part) -> str:
    """The frontier as SVG.

    Raises:
        InputError: no method was evaluated, or not without mitigation and at two gains of the open loop.
    """
    with styled():
        canvas = draw_frontier(part.scores())
        if canvas is None:
            raise InputError(
                f"{part.folder}: has no frontier; add {NONE}, {OPEN_LOOP} and {OPEN_LOOP}_at_2 to study.methods"
            )
        return svg_text(canvas)


def before_after(parts: Sequence[Part]) -> str:
    """Every score that all splits have measured, without mitigation and under the loops, as SVG.

    Raises:
        InputError: a part has no scores.
    """
    scores = {part.folder: part.scores() for part in parts}
    splits = {
        f"split {_seed(folder)}": {name: of[name] for name in (NONE, *LOOPS) if name in of}
        for folder, of in scores.items()
    }
    with styled():
        return svg_text(draw_before_after(splits, _measured_everywhere(scores.values())))


def _measured_everywhere(splits: Collection[Scores]) -> list[Key]:
    """What of `REPEATED` every split has measured for some method."""
    measured = set.intersection(*({key for table in of.values() for key in overall_scores(table)} for of in splits))
    return [key for key in REPEATED if key in measured]


def _seed(folder: Path) -> int:
    return int(read_table(folder / NONE / "responses.parquet", ("seed",))["seed"].iloc[0])


def _repeats(parts: Sequence[Part]) -> list[str]:
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
                    _loop(folder / name) if name in LOOPS else "",
                )
            )
    means = [
        f"{_title(name)}: mean over {len(values)} seeds {number(mean(values))} per cent, "
        f"from {number(min(values))} to {number(max(values))}"
        for name, values in removed.items()
        if len(values) == len(parts)
    ]
    return [
        "## Repeats with other seeds",
        "Each seed splits target terms and templates anew, learns anew and runs the loop anew. The splits share "
        "items, so the mean over seeds has no interval of its own. Methods that ran with every seed:",
        _table(heads, rows),
        "; ".join(means) + ".",
    ]


def _loop(folder: Path) -> str:
    """Where a loop came to rest, and why."""
    state = read_json(folder / "state.json")
    return f"gain {number(max(map(abs, state['gains'])))}, {END[state['stopped']]}"


def _score_rows(scores: Scores) -> list[tuple[str, ...]]:
    overall = {name: overall_scores(table) for name, table in scores.items()}
    return [
        (_title(name), *(score_text(found[key], ABSENT) if key in found else ABSENT for key in OVERVIEW))
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


def _what_ran(provenance: Mapping[str, Any]) -> str:
    machine, files = provenance["machine"], provenance["files"]
    listed = [f"- commit {provenance['git']['commit']}", f"- {machine['cores']} cores, {machine['memory_mb']} MB"]
    listed += [f"- `{name}`: sha256 {entry['sha256'][:16]}…" for name, entry in sorted(files.items())]
    return "\n".join(listed)


def _count_or_number(value: float) -> str:
    return str(int(value)) if value.is_integer() else number(value)


def _title(name: str) -> str:
    return name.replace("_", " ")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page; see ``--help``."""
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.report.mitigation_study",
        description="Write the mitigation study as one page of Markdown.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--folder", required=True, type=Path, help="results/mitigation/{environment}/{model}/{variant}")
    parser.add_argument("--study", required=True, type=Path, help="configuration that names its methods")
    parser.add_argument("--repeats", type=Path, nargs="*", default=[], help="folders of the study with other seeds")
    parser.add_argument("--repeated-study", type=Path, help="configuration of the repeats; the same where not given")
    parser.add_argument("--provenance", required=True, type=Path, help="results/provenance.json of the same run")
    parser.add_argument("--written-by", default="make mitigation-study", help="the command that the page names")
    parser.add_argument("--markdown", required=True, type=Path, help="page to write")
    parser.add_argument("--figure", type=Path, help="SVG to write, which the page shows")
    parser.add_argument("--before-after", type=Path, help="SVG of every split's scores to write, which the page shows")
    options = parser.parse_args(argv)
    part = Part(options.folder, methods_of(options.study))
    repeated = methods_of(options.repeated_study or options.study)
    repeats = [Part(folder, repeated) for folder in options.repeats]
    if options.figure is not None:
        write_text(frontier(part), options.figure)
    if options.before_after is not None:
        write_text(before_after([part, *repeats]), options.before_after)
    drawn = page(
        part,
        options.provenance,
        repeats,
        figure=_seen_from(options.markdown, options.figure),
        before_after=_seen_from(options.markdown, options.before_after),
        command=options.written_by,
    )
    write_text(drawn, options.markdown)


def _seen_from(markdown: Path, figure: Path | None) -> str | None:
    return None if figure is None else Path(os.path.relpath(figure, markdown.parent)).as_posix()


if __name__ == "__main__":
    run_stage(main)
