"""The frontier of a mitigation study: how much bias each method removes, against what it costs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebias.mitigate.overall import Key, Score, overall_reductions, overall_scores
from edgebias.mitigate.preserved_texts import NEUTRAL_TEXT, PERPLEXITY_RISE, REFERENCE_ANSWERS
from edgebias.mitigate.registry import FEEDBACK_LOOP, NONE
from edgebias.report.canvas import COLOURS, error_bars, new_canvas, series
from edgebias.suites.formats import LIKELIHOOD

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SUITE = "stereoset"
PUBLISHED = 79.28
"""Per cent of bias that the seed paper's loop removes (arXiv 2502.11349, abstract)."""


@dataclass(frozen=True)
class _Cost:
    """A panel: a score of every method, as what it costs, and the budget."""

    key: Key
    title: str
    budget: float
    shown: float
    """The largest cost on the axis; a method that costs more stands at the edge, with its number."""

    def of(self, scores: Mapping[Key, Score], before: Mapping[Key, Score]) -> float:
        """Return what has become worse: per cent of perplexity, points of lms; NaN where it was not measured."""
        if self.key not in scores:
            return math.nan
        if self.key[2] == PERPLEXITY_RISE:
            return scores[self.key].estimate
        return before[self.key].estimate - scores[self.key].estimate


COSTS = (
    _Cost(
        (REFERENCE_ANSWERS, LIKELIHOOD, PERPLEXITY_RISE),
        "perplexity of the uncompressed\nbuild's answers (%)",
        2.0,
        6.0,
    ),
    _Cost((NEUTRAL_TEXT, LIKELIHOOD, PERPLEXITY_RISE), "perplexity of\nneutral text (%)", 2.0, 6.0),
    _Cost((SUITE, LIKELIHOOD, "lms"), "fall of lms (points)", 1.0, 4.0),
)


def draw(scores: Mapping[str, pd.DataFrame], gains: Mapping[str, float]) -> Canvas | None:
    """Draw the distance from the ideal removed on StereoSet (per cent, with interval) against each cost.

    None without `none` and two gains of the open loop, or where there is no bias to remove. The gains are joined by a
    line, which begins where nothing is steered.

    Where a cost was not measured for a method, its panel has no point of it.

    Args:
        scores: the table of mitigation scores of each method.
        gains: those of the open loop among them, by label, lowest first.
    """
    removed = {name: share for name, table in scores.items() if (share := _removed(table)) is not None}
    drawn = grouped(removed, gains)
    steps = [name for name in gains if name in removed]
    if NONE not in scores or len(steps) < 2:
        return None
    overall = {name: overall_scores(scores[name]) for name in (NONE, *removed)}
    canvas, panels = new_canvas(10.4, 3.9, len(COSTS), sharey=True)
    for axes, cost in zip(panels, COSTS, strict=True):
        costs = {name: cost.of(overall[name], overall[NONE]) for name in removed}
        path = [(0.0, 0.0), *((costs[name], removed[name].estimate) for name in steps)]
        axes.plot(*zip(*path, strict=True), color=COLOURS[0], linewidth=1.2, zorder=1)
        for position, (label, names) in enumerate(drawn):
            for name in names:
                _point(axes, costs[name], removed[name], position, label if name == names[0] else None, cost.shown)
        for name in steps:
            axes.annotate(
                f"{gains[name]:g}",
                (costs[name], removed[name].estimate),
                xytext=(5, -10),
                textcoords="offset points",
                fontsize=7.5,
                color=COLOURS[0],
            )
        axes.axvspan(cost.budget, cost.shown * 1.06, color="#eeeeee", zorder=0)
        axes.axvline(cost.budget, color="#888888", linewidth=0.8)
        axes.axhline(PUBLISHED, color="#222222", linestyle=":", linewidth=1)
        axes.axhline(0, color="#222222", linewidth=0.8)
        lowest = min([0.0, *filter(math.isfinite, costs.values())])
        axes.set_xlim(lowest - 0.05 * (cost.shown - lowest), cost.shown * 1.06)
        axes.set_xlabel(cost.title)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
    panels[0].set_ylabel("distance of ss from 50 removed (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=3)
    return canvas


def grouped(methods: Collection[str], gains: Mapping[str, float]) -> list[tuple[str, list[str]]]:
    """Label and methods of each series, in the order of the colours, which figures of the same methods share.

    The gains of the open loop are one series, the first; the loop comes next, and `none` last.
    """
    steps = [name for name in gains if name in methods]
    others = sorted(set(methods) - set(steps), key=lambda name: (name == NONE, name != FEEDBACK_LOOP, name))
    drawn = [(f"open loop, at gains of {', '.join(f'{gains[name]:g}' for name in steps)}", steps)] if steps else []
    return drawn + [(name.replace("_", " "), [name]) for name in others]


def _removed(table: pd.DataFrame) -> Score | None:
    """Return per cent of the distance that a method removes on `SUITE`; None where that is not defined."""
    for found in overall_reductions(table):
        if (found.suite, found.format) == (SUITE, LIKELIHOOD) and math.isfinite(found.percent.estimate):
            return found.percent
    return None


def _point(axes: Axes, cost: float, share: Score, position: int, label: str | None, shown: float) -> None:
    beyond = cost > shown
    place = shown if beyond else cost
    axes.errorbar(
        place,
        share.estimate,
        yerr=error_bars(share.low, share.estimate, share.high),
        **series(position),
        markersize=5.5 if position else 4.5,
        elinewidth=1.1,
        alpha=1.0 if position else 0.8,
        label=label,
    )
    if beyond:
        axes.annotate(
            f"{cost:+.0f} →",
            (place, share.estimate),
            xytext=(-6, 5 if position % 2 else -11),
            textcoords="offset points",
            ha="right",
            fontsize=7.5,
        )
