"""What methods of a mitigation study do to each score, split by split: bias and utility on one line."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from edgebias.mitigate.overall import Key, overall_scores, title
from edgebias.report.canvas import error_bars, new_grid, series

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SPREAD = 0.22
"""Distance of the methods of one split from each other; splits are 1 apart."""


def draw(splits: Mapping[str, Mapping[str, pd.DataFrame]], keys: Sequence[Key]) -> Canvas:
    """Draw a panel for each score, in it a row for each split, and in that a point with its interval for each method.

    A dashed line is the ideal of the score, where that is within what the points span: room for one far away would
    press them together. A method without a score has no point in its panel.

    Args:
        splits: by name, the table of mitigation scores of each method, the same methods in each.
        keys: the scores.
    """
    methods = list(dict.fromkeys(name for scores in splits.values() for name in scores))
    canvas, grid = new_grid(10.4, 1.1 + 0.55 * len(splits), len(keys), sharey=True)
    overall = {split: {name: overall_scores(table) for name, table in of.items()} for split, of in splits.items()}
    for axes, key in zip((axes for row in grid for axes in row), keys, strict=True):
        for place, found in enumerate(overall.values()):
            for position, name in enumerate(methods):
                score = found.get(name, {}).get(key)
                if score is None or not math.isfinite(score.estimate):
                    continue
                axes.errorbar(
                    score.estimate,
                    place + SPREAD * (position - (len(methods) - 1) / 2),
                    xerr=error_bars(score.low, score.estimate, score.high),
                    **series(position),
                    markersize=4.5,
                    elinewidth=1.2,
                    label=name.replace("_", " ") if place == 0 else None,
                )
        ideals = {score.ideal for found in overall.values() for scores in found.values() if (score := scores.get(key))}
        _label(axes, key, list(splits), ideals)
    by_label = dict(
        pair[::-1] for row in grid for axes in row for pair in zip(*axes.get_legend_handles_labels(), strict=True)
    )
    canvas.legend(by_label.values(), by_label.keys(), loc="outside lower center", ncols=len(methods))
    return canvas


def _label(axes: Axes, key: Key, splits: Sequence[str], ideals: Collection[float]) -> None:
    low, high = axes.get_xlim()
    for ideal in ideals:
        if low <= ideal <= high:
            axes.axvline(ideal, color="#222222", linestyle="--", linewidth=0.8, zorder=0)
    axes.set_title(title(key), loc="left")
    axes.set_yticks(range(len(splits)), splits)
    axes.set_ylim(len(splits) - 0.5, -0.5)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
