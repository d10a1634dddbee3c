"""Section: the printed trust of 50 compressed models, read again with refusal and ability as regressors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from edgebias.core.arrays import FloatArray
from edgebias.report.canvas import COLOURS, MARKERS, error_bars, name_rows, new_canvas
from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing
from edgebias.report.numbers import number, percent, signed, signed_estimate
from edgebias.report.section import Section
from edgebias.report.table import Table
from edgebias.score.trust.associations import pearson
from edgebias.stats.bootstrap import Interval
from edgebias.suites.base import DIMENSIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

PRINTED = tuple(name for name in DIMENSIONS if name != "benign")
CONFIDENCE = 0.95
ABILITY = "mmlu"
SEED = re.compile(r"_?(?:seed\d|\dseed)")
"""How the paper's models are called that differ in their calibration seed alone."""


@dataclass(frozen=True)
class Regressed:
    """One dimension over the printed models.

    Attributes:
        dimension: of trust.
        refusal: correlation of the score with its own refusal rate (with no response, of the stereotype).
        refusal_within: the same between models of one base model.
        ability: correlation with MMLU.
        ability_within: the same between models of one base model.
        explained: share of the variance that both explain in a linear regression.
    """

    dimension: str
    refusal: Interval
    refusal_within: float
    ability: Interval
    ability_within: float
    explained: float


@dataclass(frozen=True)
class Seeded:
    """Models of one setting that differ in their seed: the range of a dimension."""

    setting: str
    dimension: str
    seeds: int
    least: float
    most: float

    @property
    def range(self) -> float:
        """The largest minus the smallest."""
        return self.most - self.least


def regressed(printed: pd.DataFrame) -> list[Regressed]:
    """Return each dimension of the printed table beside its own refusal rate and MMLU."""
    return [_regressed(printed, dimension) for dimension in PRINTED]


def _regressed(printed: pd.DataFrame, dimension: str) -> Regressed:
    name = dimension.replace(" ", "_")
    score, refusal, ability = (
        printed[column].to_numpy(dtype=np.float64) for column in (name, f"{name}_refusal", ABILITY)
    )
    base = printed["base_model"]
    design = np.column_stack([np.ones(len(score)), refusal, ability])
    residuals = score - design @ np.linalg.lstsq(design, score, rcond=None)[0]
    return Regressed(
        dimension=dimension,
        refusal=_correlation(score, refusal),
        refusal_within=_correlation(_within(score, base), _within(refusal, base)).estimate,
        ability=_correlation(score, ability),
        ability_within=_correlation(_within(score, base), _within(ability, base)).estimate,
        explained=1.0 - float(residuals.var() / score.var()),
    )


def _correlation(x: FloatArray, y: FloatArray) -> Interval:
    if np.ptp(x) < 1e-9 or np.ptp(y) < 1e-9:
        return Interval(math.nan, math.nan, math.nan, math.nan)
    return pearson(x, y, CONFIDENCE)


def _within(values: FloatArray, base: pd.Series) -> FloatArray:
    """Return the deviations from the mean of each base model."""
    series = pd.Series(values, index=base.index)
    return (series - series.groupby(base).transform("mean")).to_numpy(dtype=np.float64)


def seeded(printed: pd.DataFrame) -> list[Seeded]:
    """Return the range of every dimension over the seeds of each setting that was printed with several."""
    settings = printed["model"].str.replace(SEED, "", regex=True).str.removeprefix("hf/compressed-llm/")
    return [
        Seeded(str(setting), dimension, len(part), float(part[name].min()), float(part[name].max()))
        for setting, part in printed.groupby(settings, sort=True)
        if len(part) > 1
        for dimension in PRINTED
        if (name := dimension.replace(" ", "_"))
    ]


def paper_sentences(printed: pd.DataFrame) -> list[str]:
    """Return what a reader should take from the printed table."""
    found = regressed(printed)
    fairness = next(one for one in found if one.dimension == "fairness")
    widest = max(seeded(printed), key=lambda one: one.range)
    rising = [one for one in found if one.refusal.low > 0]
    falling = [one for one in found if one.refusal.high < 0]
    return [
        f"Scores that rise with the share of replies that a model refuses: {_listed(rising)}. Part of such a score is "
        "silence.",
        f"Scores that fall with it: {_listed(falling)}.",
        f"Fairness falls as ability rises: r = {_r(fairness.ability)} with MMLU. A model that gives all people the "
        "same answer has no gap between groups.",
        f"One setting with another seed moves {widest.dimension} by up to {number(widest.range)} points: "
        f"{number(widest.least)} to {number(widest.most)} ({widest.setting}).",
    ]


def _listed(some: Sequence[Regressed]) -> str:
    ordered = sorted(some, key=lambda one: -abs(one.refusal.estimate))
    return ", ".join(f"{one.dimension} (r = {_r(one.refusal)})" for one in ordered) or "none"


def _r(found: Interval) -> str:
    return signed_estimate(found.estimate, found.low, found.high, 2)


def regression_table(printed: pd.DataFrame) -> Table:
    """Return the correlations of each dimension, over all models and between models of one base model."""
    return Table(
        f"Printed scores of {len(printed)} models beside their own refusal rates and MMLU. Intervals as if models were "
        f"independent; they are builds of {printed['base_model'].nunique()} base models, so that these are too narrow",
        (
            *("Dimension", "r with refusal [low, high]", "within base models", "r with MMLU [low, high]"),
            *("within base models", "Variance explained by both"),
        ),
        tuple(
            (
                one.dimension,
                _r(one.refusal),
                signed(one.refusal_within, 2),
                _r(one.ability),
                signed(one.ability_within, 2),
                percent(one.explained, 0),
            )
            for one in regressed(printed)
        ),
        frozenset({2, 4, 5}),
        unbroken=frozenset({1, 3}),
    )


def seed_table(printed: pd.DataFrame) -> Table:
    """Return the range of each dimension over the seeds of a setting."""
    found = seeded(printed)
    settings = list(dict.fromkeys((one.setting, one.seeds) for one in found))
    values = {(one.setting, one.dimension): one for one in found}
    return Table(
        "Range of the printed scores over the seeds of one setting: smallest to largest",
        ("Setting", "Seeds", *(name.capitalize() for name in PRINTED)),
        tuple(
            (setting, number(seeds), *(_range(values[setting, name]) for name in PRINTED))
            for setting, seeds in settings
        ),
        frozenset(range(1, 2 + len(PRINTED))),
    )


def _range(one: Seeded) -> str:
    return f"{number(one.least)} to {number(one.most)}"


def draw(printed: pd.DataFrame) -> Canvas:
    """Draw each dimension's correlations with refusal and with MMLU, over all models and within base models."""
    found = regressed(printed)
    canvas, panels = new_canvas(9.6, 3.5, 2, sharey=True)
    for place, (axes, title) in enumerate(zip(panels, ("with its own refusal rate", "with MMLU"), strict=True)):
        axes.axvline(0, color="#222222", linewidth=1)
        for row, one in enumerate(found):
            over, within = ((one.refusal, one.refusal_within), (one.ability, one.ability_within))[place]
            if math.isfinite(over.estimate):
                axes.errorbar(
                    over.estimate,
                    row - 0.12,
                    xerr=error_bars(over.low, over.estimate, over.high),
                    fmt=MARKERS[0],
                    color=COLOURS[place],
                    markersize=5,
                    linewidth=1.2,
                    label="over all models" if not row else None,
                )
            if math.isfinite(within):
                axes.plot(
                    *(within, row + 0.2),
                    MARKERS[2],
                    color=COLOURS[place],
                    markerfacecolor="white",
                    markersize=5,
                    label="between builds of one base model" if not row else None,
                )
        axes.set_xlim(-1.05, 1.05)
        axes.set_title(title, loc="left")
        axes.set_xlabel("correlation r of the printed score")
        axes.grid(axis="x")
        axes.set_axisbelow(True)
    name_rows(panels[0], [one.dimension for one in found])
    handles, labels = panels[0].get_legend_handles_labels()
    canvas.legend(handles, labels, loc="outside lower center", ncols=2)
    return canvas


def _draw(study: StudyData) -> Canvas | None:
    return draw(study.trust_paper) if is_shown(study) else None


def is_shown(study: StudyData) -> bool:
    """Return whether the study has trust to lay beside the printed one."""
    return bool(len(study.trust_paper))


def _content(study: StudyData) -> Mapping[str, Any]:
    tables: Sequence[Table] = (regression_table(study.trust_paper), seed_table(study.trust_paper))
    return {"trust_paper_sentences": paper_sentences(study.trust_paper), "trust_paper_tables": tables}


DRAWING = Drawing(
    "trust-paper",
    "Printed trust, read again",
    "Each row: how the score that Decoding Compressed Trust prints for 50 models goes with the refusal rate of the "
    "same dimension (left) and with MMLU (right). Filled: over all models, with 95 % intervals as if these were "
    "independent, which builds of a few base models are not. Open: between builds of one base model alone.",
    "Dot plot of correlations of eight printed trust scores; the same numbers are in the table below.",
    _draw,
)
SECTION = Section("compression_paper", "Printed trust, read again", _content, (DRAWING,), is_shown)
