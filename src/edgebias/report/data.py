"""Everything that the report reads, gathered into one record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.backends.kind import BackendProperties
from edgebias.backends.registry import properties_of
from edgebias.core.cell import Cell
from edgebias.core.errors import InputError
from edgebias.core.files import read_json, read_table
from edgebias.core.settings import keys_of, value_of
from edgebias.infer.outcome import OUTCOMES, cut_while_thinking
from edgebias.infer.study_settings import StudySettings
from edgebias.mitigate.registry import ChosenMethod, choose_all
from edgebias.mitigate.settings import DriverKeys, LearningSettings
from edgebias.models.roofline.hardware import read_hardware
from edgebias.study import PARITY_BACKENDS
from edgebias.suites.formats import LETTER_BALANCED, UNWRITTEN, refused_in_chat
from edgebias.suites.identities import SUITE_OF
from edgebias.suites.registry import SUITES

SCORE_COLUMNS = (
    "suite",
    "format",
    "category",
    "metric",
    "estimate",
    "low",
    "high",
    "n",
    "n_clusters",
    "coverage",
    "bound_low",
    "bound_high",
    "ideal",
)
CONTRAST_COLUMNS = (
    "kind",
    "cell_a",
    "cell_b",
    "suite",
    "format",
    "metric",
    "estimate_a",
    "estimate_b",
    "difference",
    "low",
    "high",
    "p_corrected",
    "minimum_detectable_effect",
)
FLIP_COLUMNS = (
    *("kind", "cell_a", "cell_b", "suite", "format", "changed", "low", "high", "towards", "away"),
    *("to_unknown", "from_unknown", "newly_biased", "no_longer_biased", "p_corrected", "n"),
)
DECOMPOSITION_COLUMNS = (
    *("edge_cell", "reference_cell", "suite", "format", "metric", "unit", "component", "estimate", "low", "high"),
    *("order_low", "order_high", "n_orders", "n_items", "n_clusters", "coverage", "reason"),
)
"""What the stage ``decompose`` writes."""
RESPONSE_COLUMNS = ("item_id", "format", "text", "outcome")
ITEM_COLUMNS = ("item_id", "suite", "category", "context", "question", "options", "permutation")
PROJECTION_COLUMNS = (
    *("board", "model", "variant", "weights", "parameters", "bits_per_weight", "weight_bytes", "kv_bytes_per_token"),
    *("bandwidth_low", "bandwidth_high", "arithmetic_low", "arithmetic_high", "generation_intensity"),
    *("prompt_intensity", "generation_low", "generation_high", "bound_by", "prompt_low", "prompt_high"),
    *("first_token_low", "first_token_high"),
)
"""What the stage ``roofline`` writes."""
PAPER_COLUMNS = ("id", "value", "unit", "what", "source", "section", "note")
ROBUSTNESS_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "variance_shares": (
        "crossing",
        "reading",
        "factor",
        "levels",
        "first_order",
        "first_order_low",
        "first_order_high",
        "total",
        "total_low",
        "total_high",
        "n_clusters",
    ),
    "position_bias": (
        "environment",
        "model",
        "variant",
        "template",
        "position",
        "chosen",
        "chosen_low",
        "chosen_high",
        "ideal",
        "letter_mass",
    ),
    "flip_rates": ("crossing", "factor", "estimate", "low", "high", "n_clusters"),
    "by_level": ("environment", "model", "variant", "factor", "level", "metric", "estimate", "low", "high", "ideal"),
}
"""Tables of the stage ``score_robustness``."""
TRUST_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "trust": (
        *("environment", "model", "variant", "dimension", "suite", "format", "metric", "main", "score", "ideal"),
        *("trust", "low", "high", "bound_low", "bound_high", "coverage", "refusal", "unparsed", "blank"),
        *("difference", "difference_low", "difference_high", "p_corrected", "minimum_detectable_effect"),
        *("changed", "changed_low", "changed_high", "worse", "newly_worse", "newly_worse_low", "newly_worse_high"),
        *(
            "newly_better",
            "perplexity",
            "nominal_bits",
            "bits_per_weight",
            "sparsity",
            "pruned",
            "recipe",
            "seed",
            "seed_deviation",
            "n",
            "n_clusters",
            "reason",
        ),
    ),
    "trust_controls": (
        *("dimension", "suite", "format", "control", "score", "trust", "bound_low", "bound_high", "coverage", "reason"),
    ),
    "trust_correlations": (
        *("environment", "model", "dimension", "suite", "format", "against", "rho", "low", "high", "n_builds"),
        "reason",
    ),
    "trust_doses": (
        *("environment", "model", "dimension", "suite", "format", "worse", "n_builds", "least_bits", "most_bits"),
        *("odds_ratio", "low", "high", "n_clusters", "reason"),
    ),
}
"""Tables of the stage ``trust``."""
TRUST_PAPER = "compressed_trust.csv"
"""Beside the numbers printed in the paper: trust of 50 compressed models as printed with arXiv:2403.15447."""
PERSONALISATION_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "personalisation": (
        *("environment", "model", "variant", "placement", "askers", "axis", "format", "pb", "floor", "excess", "low"),
        *("high", "p", "p_grouped", "n_identities", "n_questions", "n_left_out"),
    ),
    "personalisation_identities": (
        *("environment", "model", "variant", "placement", "axis", "format", "level", "name", "group", "against"),
        *("estimate", "reference", "difference", "low", "high", "p_corrected", "minimum_detectable_effect"),
        "n_questions",
    ),
    "personalisation_mitigations": (
        *("environment", "model", "variant", "placement", "axis", "format", "part", "kind", "mitigation", "chosen"),
        *("excess", "excess_low", "excess_high", "excess_without", "change", "low", "high", "p_corrected", "score"),
        *("score_change", "score_low", "score_high", "n_identities", "n_questions"),
    ),
}
"""Tables of the stage ``personalisation``."""
INHERITANCE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "inheritance": (
        *("environment", "model", "variant", "ratio", "bias", "mitigation", "seed", "suite", "format", "measure"),
        *("aspect", "unit", "ideal", "estimate", "low", "high", "change", "change_low", "change_high", "p_corrected"),
        *("minimum_detectable_effect", "n_clusters"),
    ),
    "inheritance_trends": (
        *("environment", "model", "bias", "mitigation", "suite", "format", "measure", "aspect", "unit", "n_runs"),
        *("slope", "low", "high", "p_corrected", "p_runs", "n_clusters"),
    ),
    "inheritance_mitigations": (
        *("environment", "model", "bias", "ratio", "seed", "mitigation", "suite", "format", "measure", "aspect"),
        *("unit", "inherited", "inherited_low", "inherited_high", "difference", "low", "high", "p_corrected"),
        *("removed", "removed_low", "removed_high", "n_clusters"),
    ),
    "inheritance_texts": ("kind", "job", "n_asked", "n_kept", "n_women", "n_men", "unfit"),
}
"""Tables of the stage ``inheritance``."""
MISALIGNMENT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "group_data": (
        *("kind", "job", "n_augmented", "n_original", "augmented", "original", "difference", "low", "high", "p_value"),
    ),
    "embedding_shift": ("kind", "n_augmented", "n_original", "shift", "by_chance", "p_value"),
}
"""Tables of the stage ``misalignment``."""
WINS_BACK_COLUMNS = (
    *(
        "environment",
        "model",
        "variant",
        "method",
        "vector",
        "against",
        "measure",
        "suite",
        "format",
        "metric",
        "ideal",
    ),
    *("before", "after", "change", "low", "high", "p_corrected", "minimum_detectable_effect"),
    *("percent", "percent_low", "percent_high", "headroom", "bits_per_weight", "pruned"),
)
"""What the stage ``wins_back`` writes."""
_DAMAGE_COMPARED = ("change", "low", "high", "p_corrected", "minimum_detectable_effect", "n_seeds")
DAMAGE_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "effects": ("damage", "level", "adaptation", "domain", "measure", "damaged", "clean", *_DAMAGE_COMPARED),
    "doses": ("damage", "adaptation", "domain", "measure", "unit", "slope", "low", "high", "p_corrected", "n_seeds"),
    "mended": (
        *("damage", "level", "method", "against", "domain", "measure", "mended", "without", *_DAMAGE_COMPARED),
        "undamaged",
    ),
}
"""Tables of the stage ``damage``."""
LAYER_PROBE_COLUMNS = ("layer", "target", "accuracy", "low", "high", "p_corrected", "above_words", "n", "n_clusters")
CELL = ["environment", "model", "variant"]


@dataclass(frozen=True)
class Sources:
    """Where the inputs lie.

    Attributes:
        items: folder of the item tables.
        variants: folder of the records of builds.
        results: folder of all that the study found out.
        paper: numbers printed in the paper.
        hardware: published figures that the projection rests on.
    """

    items: Path
    variants: Path
    results: Path
    paper: Path
    hardware: Path


@dataclass(frozen=True)
class StudyData:
    """The whole study in memory; every table has the columns of docs/reference/tables.md plus the cell's."""

    title: str
    suites: tuple[str, ...]
    chosen_methods: Mapping[str, ChosenMethod]
    """The mitigation methods that were evaluated, by label."""
    cells: tuple[Cell, ...]
    builds: Mapping[str, Cell]
    """The cell that stands for `edge`, `desktop` and `cloud`."""
    environments: Mapping[str, Mapping[str, Any]]
    models: Mapping[str, Mapping[str, Any]]
    scores: pd.DataFrame
    outcomes: pd.DataFrame
    """Counts of the outcomes by cell, suite and format, and of the replies that were cut while a model was thinking."""
    written: pd.DataFrame
    """Every text that a model wrote, joined to what it was asked."""
    costs: pd.DataFrame
    """Without rows where they were not measured here: costs are of one machine, and no part of what DVC restores."""
    over_time: pd.DataFrame
    rounds: pd.DataFrame
    contrasts: pd.DataFrame
    flips: pd.DataFrame
    """Answers that change between the cells of each contrast."""
    headline: Mapping[str, Any]
    decomposition: pd.DataFrame
    """The excess of the edge build, split into model, build and environment; without rows where nobody asked for it."""
    mitigation: pd.DataFrame
    mitigation_costs: pd.DataFrame
    fitted_to: frozenset[str]
    """The suites whose calibration items vectors, gates and loops are fitted to."""
    trajectory: pd.DataFrame
    """The rounds of each loop, whose name is in the column ``loop``."""
    layer_probes: pd.DataFrame
    """How well linear probes tell contrast pairs apart, by probed cell, block and target."""
    personalisation: Mapping[str, pd.DataFrame]
    """The tables of personalisation by name; empty where no suite asks as several identities."""
    inheritance: Mapping[str, pd.DataFrame]
    """The tables of bias inheritance, and of how self-written texts differ from real ones, by name.

    Empty where no build is trained on texts that a model wrote.
    """
    wins_back: pd.DataFrame
    """What vectors win back in compressed builds; without rows where the study does not compare them."""
    damage: Mapping[str, pd.DataFrame]
    """The tables of damaged pre-training by name; empty where no network is pre-trained on damaged images."""
    variants: tuple[Mapping[str, Any], ...]
    parity: Mapping[str, Mapping[str, Any]]
    """What the gate found, by model."""
    arithmetic: Mapping[str, Mapping[str, Any]]
    """How far the answers of the same weights lie apart in the two backends, by model, suite and format."""
    robustness: Mapping[str, pd.DataFrame]
    """The tables of format robustness by name; empty where no cell was asked in every format."""
    trust: Mapping[str, pd.DataFrame]
    """The tables of trust by name; empty where no suite measures a dimension of it."""
    trust_paper: pd.DataFrame
    """Trust of compressed models as a paper printed it; without rows where the study has none to lay beside it."""
    provenance: Mapping[str, Any]
    """Empty where it was not recorded here, for the same reason."""
    paper: pd.DataFrame
    projection: pd.DataFrame
    """What published figures of a Raspberry Pi allow each build."""
    hardware: pd.DataFrame
    """The published figures, each with its source."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Labels of the mitigation methods, in the order of the study."""
        return tuple(self.chosen_methods)

    @property
    def several_models(self) -> bool:
        """Whether environment and model are confounded in at least one comparison."""
        return len({cell.model for cell in self.cells}) > 1

    def label(self, cell: Cell) -> str:
        """Return the cell's name: with its model only where there is more than one."""
        return f"{cell.environment} {cell.model} {cell.variant}" if self.several_models else cell.label


def read_data(settings: dict[str, Any], sources: Sources) -> StudyData:
    """Read every input of the report.

    Raises:
        InputError: a file that the study's settings promise is absent or broken.
    """
    results, provenance = sources.results, sources.results / "provenance.json"
    study = value_of(settings, "study", StudySettings)
    cells = tuple(cell for group in study.cells for cell in group.all_cells)
    suites = study.suites
    has_trust = any(SUITES.get(suite).dimension for suite in suites)
    builds = {"edge": study.edge_build.cell, "desktop": study.desktop_build.cell, "cloud": study.cloud_build.cell}
    round_cells = [name.cell for name in study.rounds]
    environments, models = _section(settings, "environments"), _section(settings, "models")
    asked = {cell: group.suites or suites for group in study.cells for cell in group.all_cells}
    answered = [
        (cell, suite)
        for cell in cells
        for suite in suites
        if suite in asked[cell]
        and (
            not (_properties(environments, cell).refused_formats or refused_in_chat(models.get(cell.model, {})))
            or (results / "responses" / cell.path / f"{suite}.parquet").exists()
        )
    ]
    items = {
        suite: read_table(sources.items / f"{suite}.parquet", ITEM_COLUMNS).set_index("item_id") for suite in suites
    }
    responses = [
        (cell, suite, read_table(results / "responses" / cell.path / f"{suite}.parquet", RESPONSE_COLUMNS))
        for cell, suite in answered
    ]
    scores = [
        _tag(read_table(results / "scores" / cell.path / f"{suite}.csv", SCORE_COLUMNS), cell)
        for cell, suite in answered
    ]
    costs = [
        {**_cell_columns(cell), "suite": suite, **_flat(read_json(path))}
        for cell, suite in answered
        if (path := results / "cost" / cell.path / f"{suite}.json").exists()
    ]
    chosen = {} if _remote(environments, builds["edge"]) else choose_all(study.methods)
    methods = tuple(chosen)
    folder = results / "mitigation" / builds["edge"].path
    loops = [label for label, method in chosen.items() if method.is_loop]
    fitted = value_of(settings, "mitigate.learning", LearningSettings).suites
    drivers = keys_of(settings, "mitigate", DriverKeys).suites
    compared = [
        model
        for model in sorted({cell.model for cell in cells})
        if {
            environments[cell.environment]["backend"] for cell in cells if (cell.model, cell.variant) == (model, "full")
        }.issuperset(PARITY_BACKENDS)
    ]
    return StudyData(
        title=study.title,
        suites=suites,
        chosen_methods=chosen,
        cells=cells,
        builds=builds,
        environments=environments,
        models=models,
        scores=pd.concat(scores, ignore_index=True),
        outcomes=pd.concat([_count(cell, suite, table) for cell, suite, table in responses], ignore_index=True),
        written=pd.concat([_written(cell, items[suite], table) for cell, suite, table in responses], ignore_index=True),
        costs=pd.DataFrame(costs) if costs else pd.DataFrame(columns=[*CELL, "suite"]),
        over_time=_stack(
            results / "scores",
            round_cells,
            "over_time.csv",
            ("category", "metric", "estimate", "low", "high", "coverage"),
        ),
        rounds=_stack(results / "scores", round_cells, "over_time_rounds.csv", ("mode", "round", "stereotype_rate")),
        contrasts=read_table(results / "compare/contrasts.csv", CONTRAST_COLUMNS),
        flips=read_table(results / "compare/flips.csv", FLIP_COLUMNS),
        headline=read_json(results / "compare/headline.json"),
        decomposition=read_table(results / "compare/decomposition.csv", DECOMPOSITION_COLUMNS)
        if study.decomposition
        else pd.DataFrame(columns=list(DECOMPOSITION_COLUMNS)),
        mitigation=pd.concat(
            [read_table(folder / method / "scores.csv", SCORE_COLUMNS).assign(method=method) for method in methods],
            ignore_index=True,
        )
        if methods
        else pd.DataFrame(columns=[*SCORE_COLUMNS, "method"]),
        mitigation_costs=pd.DataFrame(
            [
                {"method": method, **_flat(read_json(path))}
                for method in methods
                if (path := folder / method / "cost.json").exists()
            ]
        ),
        fitted_to=frozenset(drivers) | frozenset(fitted),
        layer_probes=_stack(
            results / "mitigation",
            [name.cell for name in study.layer_probes],
            "layer_probes.csv",
            LAYER_PROBE_COLUMNS,
        ),
        personalisation={
            name: read_table(results / f"compare/{name}.csv", columns)
            for name, columns in PERSONALISATION_COLUMNS.items()
            if set(suites) & set(SUITE_OF.values())
        },
        inheritance={
            name: read_table(results / f"compare/{name}.csv", columns)
            for name, columns in INHERITANCE_COLUMNS.items()
            if settings.get("trained_on")
        }
        | {
            name: read_table(results / f"augmented/{Cell(**settings['writer']).path}/{name}.csv", columns)
            for name, columns in MISALIGNMENT_COLUMNS.items()
            if settings.get("trained_on") and settings.get("writer")
        },
        wins_back=read_table(results / "mitigation/wins_back.csv", WINS_BACK_COLUMNS)
        if study.wins_back
        else pd.DataFrame(columns=list(WINS_BACK_COLUMNS)),
        damage={
            name: read_table(results / f"damage/{name}.csv", columns)
            for name, columns in DAMAGE_COLUMNS.items()
            if "damage" in settings
        },
        trajectory=pd.concat(
            [read_table(folder / loop / "trajectory.csv", ["round"]).assign(loop=loop) for loop in loops],
            ignore_index=True,
        )
        if loops
        else pd.DataFrame(),
        variants=tuple(
            {"model": model, "variant": variant, **read_json(sources.variants / model / f"{variant}.json")}
            for model, variant in dict.fromkeys(
                (cell.model, cell.variant) for cell in cells if not _remote(environments, cell)
            )
        ),
        parity={model: read_json(results / "parity" / f"{model}.json") for model in compared},
        arithmetic={model: read_json(results / "arithmetic" / f"{model}.json") for model in compared},
        robustness={
            name: read_table(results / "robustness" / f"{name}.csv", columns)
            for name, columns in ROBUSTNESS_COLUMNS.items()
            if study.robustness
        },
        trust={name: read_table(results / "compare" / f"{name}.csv", names) for name, names in TRUST_COLUMNS.items()}
        if has_trust
        else {},
        trust_paper=read_table(sources.paper.with_name(TRUST_PAPER), ()) if has_trust else pd.DataFrame(),
        provenance=read_json(provenance) if provenance.exists() else {},
        paper=read_table(sources.paper, PAPER_COLUMNS),
        projection=read_table(results / "roofline/projection.csv", PROJECTION_COLUMNS),
        hardware=read_hardware(sources.hardware),
    )


def _properties(environments: Mapping[str, Mapping[str, Any]], cell: Cell) -> BackendProperties:
    if cell.environment not in environments:
        raise InputError(f"--settings: environments.{cell.environment} is missing, and {cell.path} runs there")
    return properties_of(environments[cell.environment])


def _remote(environments: Mapping[str, Mapping[str, Any]], cell: Cell) -> bool:
    """Return whether the cell's weights are out of reach: they have no record and cannot be steered."""
    return _properties(environments, cell).weights is None


def _section(settings: Mapping[str, Any], name: str) -> dict[str, Mapping[str, Any]]:
    """Return a section given whole (``environments``) or entry by entry (``environments.edge``)."""
    found = dict(settings.get(name, {}))
    for key, value in settings.items():
        if key.startswith(f"{name}."):
            found[key.removeprefix(f"{name}.")] = value
    return found


def of_cell(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    """Return the rows of one cell."""
    return table[
        (table["environment"] == cell.environment) & (table["model"] == cell.model) & (table["variant"] == cell.variant)
    ]


def _cell_columns(cell: Cell) -> dict[str, str]:
    return {"environment": cell.environment, "model": cell.model, "variant": cell.variant}


def _tag(table: pd.DataFrame, cell: Cell) -> pd.DataFrame:
    return table.assign(**_cell_columns(cell))


def _stack(folder: Path, cells: Sequence[Cell], name: str, columns: Sequence[str]) -> pd.DataFrame:
    tables = [_tag(read_table(folder / cell.path / name, columns), cell) for cell in cells]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=[*columns, *CELL])


def _count(cell: Cell, suite: str, table: pd.DataFrame) -> pd.DataFrame:
    foreign = sorted(set(table["outcome"]) - set(OUTCOMES))
    if foreign:
        raise InputError(
            f"responses of {cell.path}, {suite}: unknown outcome {foreign[0]!r}; known are {list(OUTCOMES)}"
        )
    counts = pd.crosstab(table["format"], table["outcome"]).reindex(columns=list(OUTCOMES), fill_value=0)
    cut = table["text"].map(cut_while_thinking).groupby(table["format"]).sum().astype(int)
    return _tag(counts.assign(cut_while_thinking=cut).reset_index().assign(suite=suite), cell)


def _written(cell: Cell, items: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    # A balanced letter is read off several prompts, and a local one off probabilities: it is no text of one question.
    generated = table[~table["format"].isin([*UNWRITTEN, LETTER_BALANCED])]
    joined = generated[["item_id", "format", "text", "outcome"]].join(items, on="item_id", how="inner")
    return _tag(joined, cell)


def _flat(value: Any) -> dict[str, Any]:
    """Return nested JSON as one row: ``{"usage": {"seconds": 1}}`` gives ``{"usage.seconds": 1}``."""
    return dict(_leaves(value, ""))


def _leaves(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in sorted(value):
            yield from _leaves(value[key], f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list):
        yield prefix, json.dumps(value)
    else:
        yield prefix, value
