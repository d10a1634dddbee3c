"""What a study consists of: its cells, the files of each, and the settings of each rule.

The rules, the generator of ``dvc.yaml`` and the report ask here, so that no path or list is written twice.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgebias.core.cell import Cell
from edgebias.mitigate.registry import LOOPS, NONE, WITH_SETTINGS
from edgebias.models.transformers_files import TRANSFORMERS_FILES
from edgebias.suites.published_files import PATHS

RAW = "data/raw/benchmarks"

ROBUSTNESS_TABLES = ("variance_shares", "position_bias", "flip_rates", "by_level")

NOT_FOR_CHAT = frozenset({"likelihood", "continuation"})
"""Formats that a chat endpoint cannot answer."""

RULE_KEYS: Mapping[str, tuple[str, ...]] = {
    "fetch_model": ("models.{model}",),
    "fetch_benchmarks": ("benchmarks",),
    "prompts": ("seed", "prompts.calibration_share", "prompts.{suite}"),
    "full_precision": ("variant_record", "models.{model}"),
    "compress": ("variant_record", "variants.{variant}"),
    "transformers_weights": (),
    "infer": ("seed", "infer", "models.{model}", "environments.{environment}"),
    "rounds": ("seed", "infer", "rounds", "models.{model}", "environments.{environment}"),
    "robustness": ("seed", "infer", "robustness", "models.{model}", "environments.{environment}"),
    "score_robustness": ("seed", "score", "study"),
    "parity": ("parity",),
    "score": ("seed", "score"),
    "score_rounds": ("seed", "score", "rounds"),
    "compare": ("seed", "study", "compare"),
    "directions": (
        "seed",
        "infer",
        "mitigate.suites",
        "mitigate.folds",
        "mitigate.learning",
        "models.{model}",
        "environments.{environment}",
    ),
    "shipped_directions": ("mitigate.folds",),
    "reference_answers": (
        "seed",
        "infer",
        "mitigate.reference_answers",
        "models.{model}",
        "environments.{environment}",
    ),
    "gate": (
        "seed",
        "infer",
        "mitigate.suites",
        "mitigate.directions",
        "mitigate.learning",
        "models.{model}",
        "environments.{environment}",
    ),
    "conditional_steering": (
        "seed",
        "infer",
        "mitigate.suites",
        "mitigate.perplexity_budget",
        "mitigate.conditional_steering",
        "models.{model}",
        "environments.{environment}",
    ),
    "layer_probes": ("seed", "infer", "layer_probes", "models.{model}", "environments.{environment}"),
    "control_vector_card": (),
    "fit_feedback_loop": (
        "seed",
        "infer",
        "mitigate.suites",
        "mitigate.window",
        "mitigate.rounds",
        "mitigate.folds",
        "mitigate.first_gain",
        "mitigate.proportional",
        "mitigate.integral",
        "mitigate.max_gain",
        "mitigate.perplexity_budget",
        "mitigate.question_budget",
        "mitigate.directions",
        "mitigate.learning",
        "models.{model}",
        "environments.{environment}",
    ),
    "mitigate": (
        "seed",
        "infer",
        "mitigate.perplexity_sentences",
        "mitigate.resamples",
        "mitigate.confidence",
        "models.{model}",
        "environments.{environment}",
    ),
    "provenance": (),
    "roofline": (),
    "report": ("study", "models", "environments", "mitigate.suites", "mitigate.learning"),
}
"""Dotted keys of ``params.yaml`` that each rule depends on; nothing else reaches the rule's command (`keys_of`)."""


def keys_of(rule: str, wildcards: Mapping[str, str]) -> list[str]:
    """Dotted keys of ``params.yaml`` that one job of ``rule`` depends on: a method's own settings are its alone."""
    own = [f"mitigate.{method}"] if (method := wildcards.get("method")) in WITH_SETTINGS else []
    return [key.format_map(dict(wildcards)) for key in RULE_KEYS[rule]] + own


def one_of(names: Iterable[str]) -> str:
    """The constraint of a wildcard that may be any of ``names``.

    Of no names it is one that nothing matches: Snakemake takes an empty constraint for none and would match anything.
    """
    return "|".join(names) or "(?!)"


@dataclass(frozen=True)
class Study:
    """A checked configuration and what follows from it."""

    config: dict[str, Any]

    @property
    def cells(self) -> list[Cell]:
        """All cells, in the order of the configuration."""
        return [
            Cell(entry["environment"], entry["model"], variant)
            for entry in self.config["study"]["cells"]
            for variant in entry["variants"]
        ]

    @property
    def rounds_cells(self) -> list[Cell]:
        """The cells that also answer in repeated rounds."""
        return [Cell(**entry) for entry in self.config["study"]["rounds"]]

    @property
    def robustness_cells(self) -> list[Cell]:
        """The cells that also answer in every format."""
        return [Cell(**entry) for entry in self.config["study"]["robustness"]]

    @property
    def layer_probe_cells(self) -> list[Cell]:
        """The cells whose blocks are probed."""
        return [Cell(**entry) for entry in self.config["study"]["layer_probes"]]

    @property
    def edge_build(self) -> Cell:
        """The build that is shipped to the edge, and that is mitigated."""
        return Cell(**self.config["study"]["edge_build"])

    @property
    def suites(self) -> list[str]:
        """The suites of the study."""
        return list(self.config["study"]["suites"])

    @property
    def methods(self) -> list[str]:
        """The mitigation methods of the study."""
        return list(self.config["study"]["methods"])

    def backend(self, environment: str) -> str:
        """Name of the backend of ``environment``."""
        return str(self.config["environments"][environment]["backend"])

    def suites_of(self, cell: Cell) -> list[str]:
        """Suites that ``cell`` is asked and can answer: a chat endpoint has no likelihoods and
        continues no plain text.
        """
        asked = self._asked(cell)
        if self.backend(cell.environment) != "openai":
            return asked
        return [suite for suite in asked if set(self.config["infer"]["formats"][suite]) - NOT_FOR_CHAT]

    def _asked(self, cell: Cell) -> list[str]:
        for entry in self.config["study"]["cells"]:
            same = (entry["environment"], entry["model"]) == (cell.environment, cell.model)
            if same and cell.variant in entry["variants"]:
                return [suite for suite in self.suites if suite in entry.get("suites", self.suites)]
        raise KeyError(cell)

    def weights(self, cell: Cell) -> list[str]:
        """Files that must exist before ``cell`` can answer; none for a remote endpoint."""
        base = f"data/models/{cell.model}/{cell.variant}"
        entry = self.config["environments"][cell.environment]
        match entry["backend"]:
            case "torch":
                return [f"{base}.transformers/{name}" for name in TRANSFORMERS_FILES]
            case "llama":
                return [f"{base}.gguf"]
            case "openai" if entry["endpoint"] == "loopback":
                return [f"{base}.gguf"]
            case _:
                return []

    def weights_option(self, cell: Cell) -> str:
        """The ``--weights`` option of a command line, or nothing for a remote endpoint."""
        files = self.weights(cell)
        if not files:
            return ""
        folder = f"data/models/{cell.model}/{cell.variant}.transformers"
        return f"--weights {folder if self.backend(cell.environment) == 'torch' else files[0]}"

    def parent(self, variant: str) -> str:
        """The variant that ``variant`` is made from."""
        return str(self.config["variants"][variant]["from"])

    def local_variants(self) -> list[tuple[str, str]]:
        """(model, variant) pairs whose weights are on this machine, ancestors included."""
        found: set[tuple[str, str]] = set()
        for cell in self.cells:
            if not self.weights(cell):
                continue
            variant = cell.variant
            found.add((cell.model, variant))
            while variant != "full":
                variant = self.parent(variant)
                found.add((cell.model, variant))
        return sorted(found)

    def parity_models(self) -> list[str]:
        """Models whose full-precision weights run in both local backends, so that the gate can be applied."""
        backends: dict[str, set[str]] = {}
        for cell in self.cells:
            if cell.variant == "full":
                backends.setdefault(cell.model, set()).add(self.backend(cell.environment))
        return sorted(model for model, names in backends.items() if {"llama", "torch"} <= names)

    def parity_cells(self, model: str) -> dict[str, Cell]:
        """The llama.cpp cell and the transformers cell that the gate compares."""
        return {
            self.backend(cell.environment): cell
            for cell in reversed(self.cells)
            if cell.model == model and cell.variant == "full"
        }

    def parity_suites(self, model: str) -> list[str]:
        """Suites with likelihoods that both cells of the gate answer."""
        cells = self.parity_cells(model)
        return [
            suite
            for suite in self.suites_of(cells["llama"])
            if suite in self.suites_of(cells["torch"]) and "likelihood" in self.config["infer"]["formats"][suite]
        ]

    def responses(self, cell: Cell) -> list[str]:
        """Response tables of ``cell``."""
        return [f"results/responses/{cell.path}/{suite}.parquet" for suite in self.suites_of(cell)]

    def scores(self) -> list[str]:
        """Score tables of all cells, the over-time scores included."""
        tables = [f"results/scores/{cell.path}/{suite}.csv" for cell in self.cells for suite in self.suites_of(cell)]
        return tables + [f"results/scores/{cell.path}/over_time.csv" for cell in self.rounds_cells]

    def costs(self) -> list[str]:
        """Cost tables of all cells, the rounds included."""
        tables = [f"results/cost/{cell.path}/{suite}.json" for cell in self.cells for suite in self.suites_of(cell)]
        return [
            *tables,
            *(f"results/cost/{cell.path}/rounds.json" for cell in self.rounds_cells),
            *(f"results/cost/{cell.path}/robustness.json" for cell in self.robustness_cells),
        ]

    def robustness(self) -> list[str]:
        """The tables of format robustness, where a cell is asked for them."""
        return [f"results/robustness/{name}.csv" for name in ROBUSTNESS_TABLES] if self.robustness_cells else []

    def mitigation(self, name: str, among: Container[str] | None = None) -> list[str]:
        """The file ``name`` of every mitigation method, or of those ``among`` some."""
        methods = self.methods if self.weights(self.edge_build) else []
        return [
            f"results/mitigation/{self.edge_build.path}/{method}/{name}"
            for method in methods
            if among is None or method in among
        ]

    def cards(self) -> list[str]:
        """The model card of each loop's control vector, where the study has what it is compared with."""
        return self.mitigation("model_card.md", LOOPS) if NONE in self.methods else []

    def trajectories(self) -> list[str]:
        """The trajectory of each loop of the study."""
        return self.mitigation("trajectory.csv", LOOPS)

    def layer_probes(self) -> list[str]:
        """The table of each cell whose blocks are probed."""
        return [f"results/mitigation/{cell.path}/layer_probes.csv" for cell in self.layer_probe_cells]

    def layer_probe_suites(self) -> list[str]:
        """The suites of the study whose calibration items are probed."""
        return [suite for suite in self.suites if suite in self.config["layer_probes"]["suites"]]

    def raw_files(self) -> list[str]:
        """Benchmark files, as they are called here."""
        return [f"{RAW}/{name}" for name in PATHS]

    def raw_files_of(self, suite: str) -> list[str]:
        """Benchmark files that ``suite`` is made from."""
        folder = {
            "bbq": "BBQ/",
            "stereoset": "StereoSet/",
            "crows_pairs": "CrowS-Pairs/",
            "winobias": "WinoBias/",
            "winogender": "Winogender/",
            "bold": "BOLD/data/prompts/",
        }
        return [path for path in self.raw_files() if path.startswith(f"{RAW}/{folder.get(suite, 'none/')}")]

    def settings(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """The ``--settings`` value of one job: JSON with sorted keys, one entry for each dotted key."""
        values = {key: self._lookup(key) for key in keys_of(rule, wildcards)}
        return json.dumps(values, sort_keys=True)

    def _lookup(self, key: str) -> Any:
        value: Any = self.config
        for part in key.split("."):
            value = value[part]
        return value
