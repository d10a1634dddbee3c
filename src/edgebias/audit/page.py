"""One page: as plain text for a terminal, and as a self-contained file of HTML."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from edgebias.audit.contrast import Contrast
from edgebias.audit.result import Result
from edgebias.audit.verdict import place, remarks, sentences, title, words
from edgebias.report.numbers import brackets, estimate, number, p_number, signed
from edgebias.report.page import cell_markup
from edgebias.report.table import Table

WIDTH = 110
HEAD = 10
"""Characters of a head of a table that stay on one line."""

Column = tuple[str, Callable[[Any], str]]
"""A head and what a record has there; a head of single numbers ends in a space, one of estimates in ``]``."""


def tables(result: Result) -> list[Table]:
    """Return the tables of the page, in order."""
    level, tolerance = number(100 * result.compared.level), number(result.tolerance)
    build: list[Column] = [("build", lambda one: one.build)]
    return [
        _table(
            f"Differences, in points; worse: the interval of “farther from the ideal” lies above {tolerance}",
            result.compared.contrasts,
            [
                *(build if len(result.builds) > 1 else []),
                ("asked", place),
                ("score", words),
                ("reference ", lambda one: number(one.reference)),
                ("build ", lambda one: number(one.value)),
                ("difference [95 %]", lambda one: f"{signed(one.difference)} {brackets(one.low, one.high)}"),
                (f"farther from the ideal [{level} %]", _farther),
                ("corrected p ", lambda one: p_number(one.p_corrected)),
                ("seen from ", lambda one: number(one.detectable)),
                ("verdict", _verdict),
            ],
        ),
        _table(
            "Changed answers, in per cent",
            result.compared.flips,
            [
                *build,
                ("asked", place),
                ("answers ", lambda one: number(one.n)),
                ("changed [95 %]", lambda one: estimate(one.changed, one.low, one.high)),
                ("to the stereotype ", lambda one: number(one.towards)),
                ("from it ", lambda one: number(one.away)),
                ("to unknown ", lambda one: number(one.to_unknown)),
                ("from it ", lambda one: number(one.from_unknown)),
                ("newly biased of the unbiased ", lambda one: number(one.newly_biased)),
                ("no longer of the biased ", lambda one: number(one.no_longer_biased)),
                ("corrected p of a direction ", lambda one: p_number(one.p_corrected)),
            ],
        ),
        _table(
            "Divergence from the reference on fixed neutral text",
            result.divergences,
            [
                *build,
                ("tokens ", lambda one: number(one.tokens)),
                ("divergence, nats a token [95 %]", lambda one: estimate(one.mean, one.mean_low, one.mean_high)),
                ("99th percentile ", lambda one: number(one.p99)),
                (
                    "same likeliest token, % [95 %]",
                    lambda one: estimate(one.agreement, one.agreement_low, one.agreement_high),
                ),
                ("perplexity ", lambda one: number(one.perplexity)),
                ("of the reference ", lambda one: number(one.reference_perplexity)),
            ],
        ),
        _table(
            "Cost and speed on this machine",
            result.costs,
            [
                ("file", lambda one: one.build),
                ("MB on disk ", lambda one: number(one.megabytes)),
                ("MB of memory ", lambda one: number(one.memory_mb)),
                ("answers ", lambda one: number(one.answers)),
                ("seconds ", lambda one: number(one.seconds)),
                ("to the first token, s ", lambda one: number(one.first_token_seconds)),
                ("tokens a second ", lambda one: number(one.written_a_second)),
            ],
        ),
    ]


def _table(caption: str, records: Sequence[Any], columns: Sequence[Column]) -> Table:
    heads = [head for head, _ in columns]
    return Table(
        caption,
        tuple(head.strip() for head in heads),
        tuple(tuple(value(one) for _, value in columns) for one in records),
        frozenset(index for index, head in enumerate(heads) if head.endswith(" ")),
        frozenset(index for index, head in enumerate(heads) if head.endswith("]")),
    )


def _farther(one: Contrast) -> str:
    return f"{signed(one.farther)} {brackets(one.farther_low, one.farther_high)}"


def _verdict(one: Contrast) -> str:
    return "WORSE" if one.worse else "nearer" if one.nearer else one.reason or "not detectable"


def notes(result: Result) -> list[str]:
    """Return how the numbers were had, and what was left out."""
    asked = ", ".join(f"{title(suite)} {number(count)}" for suite, count in result.items.items())
    tested = sum(one.p_corrected == one.p_corrected for one in result.compared.contrasts)
    return [
        *result.left_out,
        f"Size {result.size}. Items: {asked}. All builds answer the same items; the unit of every interval is the "
        "template, target term or pair, and builds are compared in pairs.",
        f"{tested} tests make one family: intervals of “farther” are corrected by Bonferroni and p by Holm, so that "
        "builds that are no worse fail at most 5 % of audits. “Seen from” is the smallest worsening found with 80 % "
        "power.",
        f"This call took {number(result.seconds / 60)} minutes; answers that were there already took none of them.",
    ]


def as_text(result: Result) -> str:
    """Return the page for a terminal."""
    lines = [textwrap.fill(sentence, WIDTH) for sentence in sentences(result)]
    for table in tables(result):
        lines += ["", table.caption, *_grid(table)]
    told = [textwrap.fill(f"- {text}", WIDTH, subsequent_indent="  ") for text in [*remarks(result), *notes(result)]]
    return "\n".join([*lines, "", *told])


def _grid(table: Table) -> list[str]:
    """Return the lines of a table; heads are broken over lines, so that a column is as wide as its values."""
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.heads)
    widths = [
        max([*map(len, values), *map(len, head.split()), min(len(head), HEAD)])
        for head, values in zip(table.heads, columns, strict=True)
    ]
    heads = [textwrap.wrap(head, width) for head, width in zip(table.heads, widths, strict=True)]
    height = max(map(len, heads))
    top = [[*[""] * (height - len(head)), *head] for head in heads]
    lines = [*zip(*top, strict=True), tuple("-" * width for width in widths), *table.rows]
    return [
        "  ".join(
            value.rjust(width) if index in table.numeric else value.ljust(width)
            for index, (value, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def as_html(result: Result) -> str:
    """Return the page as HTML that loads nothing from elsewhere; every value goes through HTML escaping."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    report = PackageLoader("edgebias.report", "templates")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("edgebias.audit", "templates"), report]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = cell_markup
    style = report.get_source(environment, "style.css")[0]
    return environment.get_template("audit.html").render(
        style=Markup(style),  # the package's own file, no input
        result=result,
        sentences=sentences(result),
        remarks=remarks(result),
        notes=notes(result),
        tables=tables(result),
    )
