"""What the tables of trust say: a verdict for each build and dimension, and which controls reach the full build."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from edgebias.report.data import StudyData
from edgebias.report.findings import ALPHA
from edgebias.report.numbers import rounded
from edgebias.report.table import title_of
from edgebias.score.contrasts.cells import REFERENCE_VARIANT
from edgebias.suites.base import DIMENSIONS
from edgebias.suites.formats import LIKELIHOOD

MARGIN = 5.0
"""Points of trust that a build may lose and still keep it: a build keeps a dimension where the whole interval of its
difference from the full build lies above minus this. Set before any result was seen; a twentieth of the scale."""

SEEDED = ("environment", "model", "recipe", "dimension", "suite", "format")
"""What the rows of builds that differ in their seed alone share."""

BENIGN = "benign"
BLIND = "\N{DAGGER}"
"""Marks where a control that does not read has as much trust as the full build."""

KEEPS, LOSES, GAINS, UNCLEAR, UNDEFINED = "keeps", "loses", "gains", "not detectable", "undefined"


@dataclass(frozen=True)
class Build:
    """A build of one model in one environment."""

    environment: str
    model: str
    variant: str
    nominal_bits: int
    bits: float
    pruned: float
    perplexity: float
    seed: int
    perplexity_factor: float
    """Perplexity in terms of the full build's; NaN where one is not known."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from the others."""
        return self.environment, self.model, self.variant

    @property
    def is_pruned(self) -> bool:
        """Whether weights were set to 0."""
        return self.pruned > 0.0

    @property
    def is_full(self) -> bool:
        """Whether it is the build that others are compared with."""
        return self.variant == REFERENCE_VARIANT


@dataclass(frozen=True)
class Judged:
    """One dimension of a build beside the full build, by the format that stands for its suite.

    Attributes:
        build: which.
        dimension: of trust.
        suite: that measures it.
        form: the format.
        trust: of the build, 0 to 100.
        difference: from the full build; ``low`` and ``high`` are the ends of its interval.
        p: corrected.
        detectable: the smallest difference that would have been found.
        changed: upper end of the interval of changed answers, in per cent.
        blind: controls that reach the full build here, so that no loss proves nothing.
    """

    build: Build
    dimension: str
    suite: str
    form: str
    trust: float
    difference: float
    low: float
    high: float
    p: float
    detectable: float
    changed: float
    blind: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """What can be said: `KEEPS`, `LOSES`, `GAINS`, `UNCLEAR` or `UNDEFINED`.

        A difference beyond doubt upwards is a gain. A build keeps trust where its interval lies above minus `MARGIN`;
        where not one answer moved, only if a loss of `MARGIN` would have been seen.
        """
        if not all(map(math.isfinite, (self.difference, self.low, self.high))):
            return UNDEFINED
        if self.difference == self.low == self.high == 0.0:
            return KEEPS if self.detectable <= MARGIN else UNCLEAR
        if self.difference > 0 and self.p < ALPHA:
            return GAINS
        if self.low >= -MARGIN:
            return KEEPS
        return LOSES if self.p < ALPHA and self.difference < 0 else UNCLEAR

    @property
    def is_void(self) -> bool:
        """Whether trust that is kept or gained proves nothing, because a control has as much of it.

        A build that still gives the full build's answers, all but `MARGIN` per cent, has kept them all the same.
        """
        same = self.verdict == KEEPS and self.changed <= MARGIN
        return bool(self.blind) and self.verdict in (KEEPS, GAINS) and not same

    @property
    def is_sure(self) -> bool:
        """Whether the difference, of whatever size, is beyond doubt after correction."""
        return self.verdict != UNDEFINED and self.p < ALPHA


@dataclass(frozen=True)
class Reached:
    """A control that reaches the full build's trust, or is above its interval."""

    environment: str
    model: str
    dimension: str
    suite: str
    form: str
    control: str
    trust: float
    full: float
    low: float
    high: float

    @property
    def beats(self) -> bool:
        """Whether it lies above the full build's whole interval."""
        return self.trust > self.high


def rows_of(study: StudyData, *, main: bool = True) -> pd.DataFrame:
    """Return the rows of the table of trust, those of the formats that stand for their suites alone where ``main``."""
    table = study.trust["trust"]
    return table[table["main"] == 1] if main else table


def rows_of_build(rows: pd.DataFrame, build: Build) -> pd.DataFrame:
    """Return those of the rows that are of one build."""
    of_model = (rows["environment"] == build.environment) & (rows["model"] == build.model)
    return rows[of_model & (rows["variant"] == build.variant)]


def builds_of(study: StudyData) -> list[Build]:
    """Return the builds by environment and model: the full one, the unpruned from many bits to few, the pruned."""
    rows = rows_of(study, main=False).drop_duplicates(["environment", "model", "variant"])
    full = {
        (row["environment"], row["model"]): float(row["perplexity"])
        for _, row in rows[rows["variant"] == REFERENCE_VARIANT].iterrows()
    }
    found = [
        Build(
            environment=str(row["environment"]),
            model=str(row["model"]),
            variant=str(row["variant"]),
            nominal_bits=int(row["nominal_bits"]),
            bits=float(row["bits_per_weight"]),
            pruned=float(row["pruned"]),
            perplexity=float(row["perplexity"]),
            seed=int(row["seed"]),
            perplexity_factor=float(row["perplexity"]) / full.get((row["environment"], row["model"]), math.nan),
        )
        for _, row in rows.iterrows()
    ]
    places = [(cell.environment, cell.model) for cell in study.cells]
    return sorted(
        found,
        key=lambda build: (
            places.index((build.environment, build.model)),
            not build.is_full,
            build.is_pruned,
            -build.bits if math.isfinite(build.bits) else 0.0,
            build.variant,
        ),
    )


def compressed(judged: Sequence[Judged]) -> list[Build]:
    """Return the builds that were judged, each once."""
    return list({one.build.key: one.build for one in judged}.values())


def panels_of(builds: Sequence[Build]) -> list[tuple[str, str]]:
    """Return environment and model of each group of builds that are compared."""
    return list(dict.fromkeys((build.environment, build.model) for build in builds))


def measured(study: StudyData) -> list[tuple[str, str]]:
    """Return dimension and suite of each row of a picture, in the order of the paper, ability last."""
    found = {(str(row["dimension"]), str(row["suite"])) for _, row in rows_of(study, main=False).iterrows()}
    return sorted(found, key=lambda one: (DIMENSIONS.index(one[0]), study.suites.index(one[1])))


def names_of(found: Sequence[Judged]) -> list[tuple[str, str]]:
    """Return dimension and suite of all that was judged, each once, ability last."""
    names = dict.fromkeys((one.dimension, one.suite) for one in found)
    return sorted(names, key=lambda one: DIMENSIONS.index(one[0]))


def called(build: Build, several: bool) -> str:
    """Return what a build is called: with environment and model where there are ``several`` of them."""
    return f"{build.environment} {build.model} {build.variant}" if several else build.variant


def name_of(dimension: str, suite: str, among: Sequence[tuple[str, str]]) -> str:
    """Return what a row is called: the dimension, with its suite where several ``among`` all rows measure it."""
    alike = [other for other, _ in among].count(dimension)
    return f"{dimension} ({title_of(suite)})" if alike > 1 else dimension


def judged(study: StudyData) -> list[Judged]:
    """Return a record for each build but the full one, and each suite."""
    blind: dict[tuple[str, ...], list[str]] = {}
    for one in reached(study):
        blind.setdefault((one.environment, one.model, one.suite, one.form), []).append(one.control)
    builds = {build.key: build for build in builds_of(study)}
    rows = rows_of(study).to_dict("records")
    found = []
    for row in rows:
        build = builds[row["environment"], row["model"], row["variant"]]
        if build.is_full:
            continue
        found.append(
            Judged(
                build=build,
                dimension=str(row["dimension"]),
                suite=str(row["suite"]),
                form=str(row["format"]),
                trust=float(row["trust"]),
                difference=float(row["difference"]),
                low=float(row["difference_low"]),
                high=float(row["difference_high"]),
                p=float(row["p_corrected"]),
                detectable=float(row["minimum_detectable_effect"]),
                changed=float(row["changed_high"]),
                blind=tuple(blind.get((row["environment"], row["model"], row["suite"], row["format"]), ())),
            )
        )
    order = list(builds)
    names = measured(study)
    return sorted(found, key=lambda one: (order.index(one.build.key), names.index((one.dimension, one.suite))))


def reached(study: StudyData) -> list[Reached]:
    """Return the controls that reach or beat a full build, in the formats that stand for their suites."""
    found = []
    full = rows_of(study)
    full = full[full["variant"] == REFERENCE_VARIANT]
    controls = study.trust["trust_controls"]
    for _, row in full.iterrows():
        same = controls[(controls["suite"] == row["suite"]) & (controls["format"] == row["format"])]
        for _, control in same.iterrows():
            trust, low, high = float(control["trust"]), float(row["low"]), float(row["high"])
            least = low if math.isfinite(low) else float(row["trust"])
            if not trust >= least:
                continue
            found.append(
                Reached(
                    environment=str(row["environment"]),
                    model=str(row["model"]),
                    dimension=str(row["dimension"]),
                    suite=str(row["suite"]),
                    form=str(row["format"]),
                    control=str(control["control"]),
                    trust=trust,
                    full=float(row["trust"]),
                    low=low,
                    high=high,
                )
            )
    names = measured(study)
    return sorted(found, key=lambda one: (one.environment, one.model, names.index((one.dimension, one.suite))))


def records_of(found: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return records as JSON takes them: numbers rounded, None of what is undefined."""

    def plain(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: rounded(value) if isinstance(value, float) else value for name, value in values.items()}

    return [
        {**plain(vars(one)), "build": plain(vars(one.build)), "blind": list(one.blind), "verdict": one.verdict}
        for one in found
    ]


def judged_of(records: Sequence[Mapping[str, Any]]) -> list[Judged]:
    """Return the records that `records_of` wrote."""

    def floats(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
        names = {field.name for field in fields(kind)}
        return {name: math.nan if value is None else value for name, value in values.items() if name in names}

    return [
        Judged(
            **{
                **floats(Judged, record),
                "build": Build(**floats(Build, record["build"])),
                "blind": tuple(record["blind"]),
            }
        )
        for record in records
    ]


def unanswered(study: StudyData) -> pd.DataFrame:
    """Return one row for each cell and suite: the first format in which a model can fail to answer.

    Options that are compared by their likelihood are always answered.
    """
    rows = rows_of(study, main=False)
    rows = rows[rows["format"] != LIKELIHOOD]
    rows = rows.sort_values("main", ascending=False, kind="stable")
    return rows.drop_duplicates(["environment", "model", "variant", "suite"])


def between_seeds(study: StudyData) -> list[dict[str, Any]]:
    """Return, for builds that differ in their seed alone, the spread of trust between seeds beside the mean effect."""
    rows = rows_of(study)
    rows = rows[rows["seed_deviation"].notna()].drop_duplicates([*SEEDED, "seed"])
    return [
        {
            **dict(zip(SEEDED, map(str, keys), strict=True)),
            "builds": tuple(map(str, part["variant"])),
            "trust": float(part["trust"].mean()),
            "deviation": float(part["seed_deviation"].iloc[0]),
            "least": float(part["trust"].min()),
            "most": float(part["trust"].max()),
            "difference": float(part["difference"].mean()),
        }
        for keys, part in rows.groupby(list(SEEDED), sort=True)
    ]
