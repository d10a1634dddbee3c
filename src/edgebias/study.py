"""What a study consists of: its name and files, its cells, and the settings and code of each job.

A study is ``params.yaml``, with ``config/NAME.yaml`` laid over it where it is not the default one. Studies stand side
by side: each has its own items, results and logs, and all share raw data and the builds of models. The rules and the
generator of ``dvc.yaml`` ask here, so that no path or list is derived twice.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from shlex import quote
from typing import Any

from edgebias import config as parameters
from edgebias.backends.kind import BackendProperties
from edgebias.backends.registry import BACKENDS, properties_of
from edgebias.core.cell import Cell
from edgebias.core.code_hash import code_hash
from edgebias.core.errors import InputError
from edgebias.core.record import checked
from edgebias.core.registry import Registry
from edgebias.mitigate.pairs import methods_on, pairs_of
from edgebias.mitigate.registry import METHODS, NONE, ChosenMethod, choose_all
from edgebias.models.transformers_files import TRANSFORMERS_FILES
from edgebias.score.inheritance.builds import LOSS
from edgebias.suites.formats import IN_CHAT, LETTER, LIKELIHOOD, refused_in_chat, wordings_of
from edgebias.suites.identities import SUITE_OF
from edgebias.suites.occupation_sentences import SENTENCES
from edgebias.suites.published_files import published_files
from edgebias.suites.registry import SUITES
from edgebias.train.gender_tail_settings import TAILS
from edgebias.train.mixture_settings import NEUTRAL, MixtureSettings
from edgebias.train.settings import SYSTEMS, BuildSettings, TrainSettings

EDGE = "edge"
"""The default study: ``params.yaml`` and nothing else."""

PARAMS = Path("params.yaml")
OVERLAYS = Path("config")

RAW = "data/raw/benchmarks"

ROBUSTNESS_TABLES = ("variance_shares", "position_bias", "flip_rates", "by_level")

TRUST_TABLES = ("trust", "trust_controls", "trust_correlations", "trust_doses")

INHERITANCE_TABLES = ("inheritance", "inheritance_trends", "inheritance_mitigations", "inheritance_texts")

PERSONALISATION_TABLES = ("personalisation", "personalisation_identities", "personalisation_mitigations")

MISALIGNMENT_TABLES = ("group_data", "embedding_shift")

DAMAGE_TABLES = ("effects", "doses", "mended")

TRUST_PAPER = "data/paper/compressed_trust.csv"
"""Trust of 50 compressed models as printed with arXiv:2403.15447."""

PARITY_BACKENDS = ("llama", "torch")
"""The two backends that the parity gate compares."""

ASKING = (
    "infer.max_new_tokens",
    "infer.max_new_tokens_text",
    "infer.max_new_tokens_continuation",
    "infer.continuation_temperature",
    "infer.continuations",
    "models.{model}.start_token",
    "models.{model}.endpoint_model",
    "models.{model}.chat_template_kwargs",
    "models.{model}.chat",
    "environments.{environment}",
)
"""What every job that asks a model depends on; the formats of a suite come on top."""

SOLVING = ("infer.max_new_tokens_solution", "infer.run_programs")
"""What a job depends on whose suite is asked for solutions, on top of `ASKING`."""

REPORTED = ("study", "models", "environments", "mitigate.suites", "mitigate.learning")
"""What the numbers and the page of a study depend on."""

LIBRARY_PYTHON = ".venv-compression/bin/python"
"""Of the environment of llm-compressor, as `make compression-env` makes it."""

COMPARED = (
    "seed",
    "compare",
    "study.suites",
    "study.cells",
    "study.rounds",
    "study.edge_build",
    "study.desktop_build",
    "study.cloud_build",
)
"""What every job that compares cells depends on."""

RULE_KEYS: Mapping[str, tuple[str, ...]] = {
    "fetch_model": ("models.{model}.source",),
    "model_formats": ("models.{model}.chat",),
    "fetch_benchmarks": ("benchmarks",),
    "fetch_benchmark_file": ("benchmarks",),
    "fetch_images": ("benchmarks",),
    "items": ("seed", "prompts.calibration_share", "prompts.{suite}"),
    "full_precision": ("variant_record", "models.{model}.start_token", "models.{model}.full_type"),
    "compress": ("variant_record", "variants.{variant}"),
    "compress_by_library": ("variant_record", "variants.{variant}"),
    "preferences": ("seed", "preferences"),
    "augment": ("seed", *ASKING, "augmentation"),
    "mixture": ("seed", "mixtures.{mixture}"),
    "gender_tail": ("seed", "gender_tail"),
    "misalignment": ("seed", "compare", "models.{model}.chat_template_kwargs"),
    "train": ("variant_record", "variants.{variant}", "models.{model}.chat_template_kwargs"),
    "transformers_weights": (),
    "infer": ("seed", *ASKING, "infer.formats.{suite}"),
    "rounds": ("seed", *ASKING, "rounds"),
    "robustness": ("seed", *ASKING, "robustness"),
    "score_robustness": ("seed", "score", "study.robustness"),
    "parity": ("parity", "models.{model}.chat", "models.{model}.chat_template_kwargs"),
    "arithmetic": (),
    "score": ("seed", "score"),
    "score_rounds": ("seed", "score", "rounds"),
    "compare": COMPARED,
    "decompose": (*COMPARED, "study.decomposition"),
    "trust": COMPARED,
    "personalisation": (*COMPARED, "variants"),
    "inheritance": COMPARED,
    "damage_runs": ("seed", "damage"),
    "damage": ("compare",),
    "directions": (
        "seed",
        *ASKING,
        "mitigate.suites",
        "mitigate.folds",
        "mitigate.learning",
    ),
    "shipped_directions": ("mitigate.folds",),
    "reference_answers": (
        "seed",
        *ASKING,
        "mitigate.reference_answers",
    ),
    "gate": (
        "seed",
        *ASKING,
        "mitigate.suites",
        "mitigate.directions",
        "mitigate.learning",
    ),
    "conditional_steering": (
        "seed",
        *ASKING,
        "mitigate.suites",
        "mitigate.perplexity_budget",
        "mitigate.conditional_steering",
    ),
    "layer_probes": ("seed", *ASKING, "layer_probes"),
    "control_vector_card": (),
    "fit_feedback_loop": (
        "seed",
        *ASKING,
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
    ),
    "mitigate": (
        "seed",
        *ASKING,
        "mitigate.perplexity_sentences",
        "mitigate.resamples",
        "mitigate.confidence",
    ),
    "wins_back": ("seed", "study.wins_back", "study.methods", "mitigate.resamples", "mitigate.confidence"),
    "roofline": (),
    "report": REPORTED,
    "page": REPORTED,
}
"""Dotted keys of ``params.yaml`` that each rule depends on; nothing else reaches the rule's command (`keys_of`)."""


ENTRIES: Mapping[str, tuple[str, ...]] = {
    "items": ("suite",),
    "augment": ("backend",),
    "infer": ("suite", "backend"),
    "rounds": ("backend",),
    "robustness": ("backend",),
    "score": ("suite",),
    "directions": ("backend",),
    "gate": ("backend",),
    "conditional_steering": ("backend",),
    "layer_probes": ("backend",),
    "reference_answers": ("backend",),
    "fit_feedback_loop": ("backend",),
    "mitigate": ("backend", "method"),
}
"""Kinds of registry entries that a job of a rule opens by name: their code is part of the job's."""

REGISTRIES: Mapping[str, Registry[Any]] = {"backend": BACKENDS, "method": METHODS}
"""Where the entries of a kind are found, for kinds whose entries are imported by name."""

SUITE_CODE: Mapping[str, tuple[str, ...]] = {
    "items": ("items",),
    "preferences": ("items",),
    "score": ("metrics",),
    "score_rounds": ("metrics",),
    "score_robustness": ("metrics",),
    "compare": ("metrics",),
    "decompose": ("metrics",),
    "trust": ("metrics",),
    "inheritance": ("metrics",),
    "mitigate": ("metrics",),
    "wins_back": ("metrics",),
    "fit_feedback_loop": ("metrics",),
    "report": (),
    "page": (),
}
"""Modules of suites that a rule opens, besides the records of these suites; which suites: `Study.suites_opened`."""

FETCHING = ("fetch_benchmarks", "fetch_benchmark_file")
"""Rules that fetch published files."""

BY_NAME = ("models", "environments", "variants", "prompts", "mitigate", "mixtures")
"""Sections whose entries are passed on as ``section.name``; of others a job gets a part of the section."""


def one_of(names: Iterable[str]) -> str:
    """Return the constraint of a wildcard that may be any of ``names``.

    Of no names it is one that nothing matches: Snakemake takes an empty constraint for none and would match anything.
    """
    return "|".join(names) or "(?!)"


@dataclass(frozen=True)
class Study:
    """A checked configuration and what follows from it.

    Attributes:
        config: every parameter, defaults included.
        name: of the study, and of its folders.
        own_builds: whether it makes builds otherwise than the default study, and so has a folder of its own for them.
        layers: the files that were laid one over another.
    """

    config: dict[str, Any]
    name: str = EDGE
    own_builds: bool = False
    layers: tuple[Path, ...] = (PARAMS,)

    @property
    def results(self) -> str:
        """Folder of all that the study finds out."""
        return f"results/{self.name}"

    @property
    def items(self) -> str:
        """Folder of the items that the study asks."""
        return f"data/items/{self.name}"

    @property
    def logs(self) -> str:
        """Folder of what its jobs wrote on standard error, and of their run times."""
        return f"logs/{self.name}"

    @property
    def models(self) -> str:
        """Folder of the builds of its models."""
        return f"data/models/{self.name}" if self.own_builds else "data/models"

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
    def wins_back_cells(self) -> list[Cell]:
        """The builds that are steered along their own vector and along the full build's."""
        return [Cell(**entry) for entry in self.config["study"]["wins_back"]]

    @property
    def edge_build(self) -> Cell:
        """The build that is shipped to the edge, and that is mitigated."""
        return Cell(**self.config["study"]["edge_build"])

    @property
    def suites(self) -> list[str]:
        """The suites of the study."""
        return list(self.config["study"]["suites"])

    @cached_property
    def chosen_methods(self) -> dict[str, ChosenMethod]:
        """The mitigation methods of the study with their settings, by label."""
        return choose_all(self.config["study"]["methods"])

    @property
    def methods(self) -> list[str]:
        """Labels of the mitigation methods: their rows, folders and wildcards."""
        return list(self.chosen_methods)

    @property
    def loops(self) -> list[str]:
        """Labels of the methods whose gains the feedback loop finds."""
        return [label for label, chosen in self.chosen_methods.items() if chosen.is_loop]

    def backend(self, environment: str) -> str:
        """Return the name of the backend of ``environment``."""
        return str(self.config["environments"][environment]["backend"])

    def properties(self, environment: str) -> BackendProperties:
        """Return what holds for the backend of ``environment``."""
        return properties_of(self.config["environments"][environment])

    def suites_of(self, cell: Cell) -> list[str]:
        """Return the suites that ``cell`` is asked and can answer.

        Those with a format that neither its backend nor its model refuses.
        """
        refused = self.properties(cell.environment).refused_formats | refused_in_chat(self.config["models"][cell.model])
        return [suite for suite in self._asked(cell) if set(self.config["infer"]["formats"][suite]) - refused]

    def asks_in_chat(self, model: str) -> list[str]:
        """Return the parameters by which ``model`` is asked in chat turns, among cells whose weights are here."""
        config = self.config
        if refused_in_chat(config["models"][model]):
            return []
        cells = [cell for cell in self.cells if cell.model == model and self.weights(cell)]
        suites = {suite: None for cell in cells for suite in self.suites_of(cell)}
        found = [
            f"infer.formats.{suite}" for suite in suites if IN_CHAT.intersection(config["infer"]["formats"][suite])
        ]
        found += ["study.rounds"] if model in {cell.model for cell in self.rounds_cells} else []
        letters = (
            model in {cell.model for cell in self.robustness_cells}
            and "letter_chat_v1" in (config["robustness"]["templates"])
        )
        return found + (["robustness.templates"] if letters else [])

    def _asked(self, cell: Cell) -> list[str]:
        for entry in self.config["study"]["cells"]:
            same = (entry["environment"], entry["model"]) == (cell.environment, cell.model)
            if same and cell.variant in entry["variants"]:
                return [suite for suite in self.suites if suite in entry.get("suites", self.suites)]
        raise KeyError(cell)

    def weights(self, cell: Cell) -> list[str]:
        """Return the files that must exist before ``cell`` can answer; none where its backend loads none."""
        base = f"{self.models}/{cell.model}/{cell.variant}"
        match self.properties(cell.environment).weights:
            case "transformers":
                return [f"{base}.transformers/{name}" for name in TRANSFORMERS_FILES]
            case "gguf":
                return [f"{base}.gguf"]
            case None:
                return []

    def weights_option(self, cell: Cell) -> str:
        """Return the ``--weights`` option of a command line, or nothing where the backend loads none."""
        files = self.weights(cell)
        if not files:
            return ""
        folder = f"{self.models}/{cell.model}/{cell.variant}.transformers"
        return f"--weights {quote(folder if self.properties(cell.environment).weights == 'transformers' else files[0])}"

    def parent(self, variant: str) -> str:
        """Return the variant that ``variant`` is made from."""
        return str(self.config["variants"][variant]["from"])

    @cached_property
    def recipes(self) -> dict[str, BuildSettings]:
        """How each variant is made."""
        return {
            name: checked(BuildSettings, recipe, f"variants.{name}") for name, recipe in self.config["variants"].items()
        }

    @property
    def by_library(self) -> list[str]:
        """The variants that llm-compressor makes."""
        return [name for name, recipe in self.recipes.items() if recipe.by_library]

    @property
    def trainings(self) -> dict[str, TrainSettings]:
        """How the variants are trained that are."""
        return {name: recipe.train for name, recipe in self.recipes.items() if recipe.train is not None}

    @cached_property
    def mixtures(self) -> dict[str, MixtureSettings]:
        """The mixtures of original and augmented examples, by name."""
        return {
            name: checked(MixtureSettings, entry, f"mixtures.{name}") for name, entry in self.config["mixtures"].items()
        }

    @property
    def writer(self) -> Cell:
        """The cell that writes the augmented texts of the mixtures."""
        named = self.config["augmentation"].get("writer")
        return Cell(**named) if named else self.cells[0]

    def augmented(self, kind: str) -> str:
        """Return the table of texts that were written for one kind of prompts: a type of bias, or neutral."""
        return f"{self.results}/augmented/{self.writer.path}/{kind}.parquet"

    def kinds(self) -> list[str]:
        """Return the kinds of prompts that the study has texts of: its mixtures' types of bias, and neutral ones."""
        biases = {mixture.bias: None for mixture in self.mixtures.values() if mixture.bias is not None}
        return [*biases, NEUTRAL] if biases else []

    def misalignment(self) -> list[str]:
        """Return the tables of how augmented texts differ from real sentences, where the study has any."""
        names = MISALIGNMENT_TABLES if self.kinds() else ()
        return [f"{self.results}/augmented/{self.writer.path}/{name}.csv" for name in names]

    def mixture(self, name: str) -> str:
        """Return the table of examples of the mixture ``name``."""
        return f"{self.items}/mixture_{name}.parquet"

    def gender_tail(self, tail: str) -> str:
        """Return the table of sentences with one share of women."""
        return f"{self.items}/sentences_{tail}.parquet"

    def gender_tails(self) -> list[str]:
        """Return those of these tables that builds of the study are trained on."""
        data = {training.data for training in self.trainings.values()}
        return [path for path in map(self.gender_tail, TAILS) if path in data]

    def mixture_of(self, variant: str) -> MixtureSettings | None:
        """Return the mixture that ``variant``, or the build that it is made from, is trained on; None for others."""
        while variant != "full" and variant not in self.trainings:
            variant = self.parent(variant)
        training = self.trainings.get(variant)
        found = (one for name, one in self.mixtures.items() if training and training.data == self.mixture(name))
        return next(found, None)

    @cached_property
    def trained_on(self) -> dict[str, dict[str, Any]]:
        """What each variant of a cell is trained on, where that is a mixture: the fields of `TrainedOn`."""
        found = {}
        for variant in dict.fromkeys(cell.variant for cell in self.cells):
            mixture, training = self.mixture_of(variant), self.trainings.get(variant)
            if mixture is not None and training is not None:
                found[variant] = {
                    "ratio": mixture.ratio,
                    "bias": mixture.bias or "",
                    "mitigation": LOSS if training.align > 0 else mixture.mitigation,
                    "seed": mixture.seed,
                }
        return found

    def inheritance(self) -> list[str]:
        """Return the tables of bias inheritance, where cells of the study are trained on mixtures."""
        names = INHERITANCE_TABLES if self.trained_on else ()
        return [f"{self.results}/compare/{name}.csv" for name in names]

    def augmented_texts(self) -> list[str]:
        """Return the tables of texts that the model wrote, where cells of the study are trained on mixtures."""
        return [self.augmented(kind) for kind in self.kinds()] if self.trained_on else []

    def local_variants(self) -> list[tuple[str, str]]:
        """Return (model, variant) pairs whose weights are on this machine, ancestors included."""
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
        """Return the models whose full-precision weights run in both local backends, so that the gate can
        be applied.
        """
        backends: dict[str, set[str]] = {}
        for cell in self.cells:
            if cell.variant == "full":
                backends.setdefault(cell.model, set()).add(self.backend(cell.environment))
        return sorted(model for model, names in backends.items() if names.issuperset(PARITY_BACKENDS))

    def parity_cells(self, model: str) -> dict[str, Cell]:
        """Return the llama.cpp cell and the transformers cell that the gate compares."""
        return {
            self.backend(cell.environment): cell
            for cell in reversed(self.cells)
            if cell.model == model and cell.variant == "full"
        }

    def parity_suites(self, model: str) -> list[str]:
        """Return the suites with log-probabilities of options that both cells of the gate answer."""
        cells = self.parity_cells(model)
        first, second = (self.suites_of(cells[backend]) for backend in PARITY_BACKENDS)
        formats = self.config["infer"]["formats"]
        compared = {LIKELIHOOD, LETTER}
        return [suite for suite in first if suite in second and compared.intersection(wordings_of(formats[suite]))]

    def responses(self, cell: Cell) -> list[str]:
        """Return the response tables of ``cell``."""
        return [f"{self.results}/responses/{cell.path}/{suite}.parquet" for suite in self.suites_of(cell)]

    def scores(self) -> list[str]:
        """Score tables of all cells, the over-time scores included."""
        tables = [
            f"{self.results}/scores/{cell.path}/{suite}.csv" for cell in self.cells for suite in self.suites_of(cell)
        ]
        return tables + [f"{self.results}/scores/{cell.path}/over_time.csv" for cell in self.rounds_cells]

    def robustness(self) -> list[str]:
        """Return the tables of format robustness, where a cell is asked for them."""
        return [f"{self.results}/robustness/{name}.csv" for name in ROBUSTNESS_TABLES] if self.robustness_cells else []

    def decomposition(self) -> list[str]:
        """Return the table of the edge build's decomposed excess, where the study asks for it."""
        return [f"{self.results}/compare/decomposition.csv"] if self.config["study"]["decomposition"] else []

    def trust_suites(self) -> list[str]:
        """Return the suites of the study that measure a dimension of trust."""
        return [suite for suite in self.suites if SUITES.get(suite).dimension]

    def trust(self) -> list[str]:
        """Return the tables of trust, where a suite of the study measures a dimension of it."""
        return [f"{self.results}/compare/{name}.csv" for name in TRUST_TABLES] if self.trust_suites() else []

    def identity_suites(self) -> list[str]:
        """Return the suites of the study that ask as several identities."""
        return [suite for suite in self.suites if suite in SUITE_OF.values()]

    def personalisation(self) -> list[str]:
        """Return the tables of personalisation, where a suite of the study asks as several identities."""
        names = PERSONALISATION_TABLES if self.identity_suites() else ()
        return [f"{self.results}/compare/{name}.csv" for name in names]

    def preferences(self) -> list[str]:
        """Return the tables of preferences that the study can make, where it asks as several identities."""
        return [f"{self.items}/preferences_{system}.parquet" for system in SYSTEMS] if self.identity_suites() else []

    def damage(self) -> list[str]:
        """Return the tables of damaged pre-training, where the study pre-trains networks on damaged images."""
        names = DAMAGE_TABLES if "damage" in self.config else ()
        return [f"{self.results}/damage/{name}.csv" for name in names]

    def trust_paper(self) -> list[str]:
        """Return the table of compressed models that a paper printed, where the study has trust to lay beside it."""
        return [TRUST_PAPER] if self.trust_suites() else []

    def mitigation(self, name: str, among: Container[str] | None = None) -> list[str]:
        """Return the file ``name`` of every mitigation method, or of those ``among`` some."""
        methods = self.methods if self.weights(self.edge_build) else []
        return [
            f"{self.results}/mitigation/{self.edge_build.path}/{method}/{name}"
            for method in methods
            if among is None or method in among
        ]

    def cards(self) -> list[str]:
        """Return the model card of each loop's control vector, where the study has what it is compared with."""
        return self.mitigation("model_card.md", self.loops) if NONE in self.methods else []

    def trajectories(self) -> list[str]:
        """Return the trajectory of each loop of the study."""
        return self.mitigation("trajectory.csv", self.loops)

    def layer_probes(self) -> list[str]:
        """Return the table of each cell whose blocks are probed."""
        return [f"{self.results}/mitigation/{cell.path}/layer_probes.csv" for cell in self.layer_probe_cells]

    def won_back(self, name: str) -> list[str]:
        """Return the file ``name`` of every build and method that are compared in what vectors win back."""
        pairs = pairs_of(self.chosen_methods)
        return [
            f"{self.results}/mitigation/{cell.path}/{method}/{name}"
            for cell in self.wins_back_cells
            for method in methods_on(cell, pairs)
        ]

    def wins_back(self) -> list[str]:
        """Return the table of what vectors win back, where the study asks for it."""
        return [f"{self.results}/mitigation/wins_back.csv"] if self.wins_back_cells else []

    def steered_suites(self) -> list[str]:
        """Return the suites whose calibration items vectors, gates and loops are fitted to."""
        mitigate = self.config["mitigate"]
        fitted = {*mitigate["suites"], *mitigate["learning"]["suites"]}
        return [suite for suite in self.suites if suite in fitted]

    def mitigated_suites(self) -> list[str]:
        """Return the suites whose held-out items every method answers."""
        return [suite for suite in self.suites if SUITES.get(suite).bias]

    def files(self) -> list[str]:
        """Return what everything else is made from, for the record: parameters and weights."""
        weights = [f"{self.models}/{model}/{variant}.gguf" for model, variant in self.local_variants()]
        return [*map(str, self.layers), *weights]

    def layer_probe_suites(self) -> list[str]:
        """Return the suites of the study whose calibration items are probed."""
        return [suite for suite in self.suites if suite in self.config["layer_probes"]["suites"]]

    def raw_files(self) -> list[str]:
        """Return benchmark files, as they are called here."""
        return [f"{RAW}/{file.path}" for file in published_files()]

    def carried_files(self) -> list[str]:
        """Return the paths of benchmark files of the study that packages of their own carry."""
        files = {file.path for suite in self.suites for file in SUITES.get(suite).files if file.wheel is not None}
        return sorted(files | {SENTENCES.path} if self.gender_tails() else files)

    def raw_files_of(self, suite: str) -> list[str]:
        """Return the files that the items of ``suite`` are made from: published ones, or its own."""
        return SUITES.get(suite).raw_files(RAW)

    def keys_of(self, rule: str, wildcards: Mapping[str, str]) -> list[str]:
        """Return the dotted keys of ``params.yaml`` that one job depends on: a method's own settings are its alone."""
        own: list[str] = []
        if rule == "parity":
            own += [f"infer.formats.{suite}" for suite in self.parity_suites(wildcards["model"])]
        if rule == "infer" and SUITES.get(wildcards["suite"]).solutions:
            own += SOLVING
        if rule in ("report", "page") and "damage" in self.config:
            own.append("damage")
        if rule == "mitigate":
            chosen = self.chosen_methods[wildcards["method"]]
            own += [f"infer.formats.{suite}" for suite in self.mitigated_suites()]
            own += [f"mitigate.{chosen.name}"] if chosen.method.in_section else []
        return [key.format_map(dict(wildcards)) for key in RULE_KEYS[rule]] + own

    def settings(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return the ``--settings`` value of one job: JSON with sorted keys, what `keys_of` names and nothing else."""
        values: dict[str, Any] = {"infer": {"formats": {}}} if ASKING[0] in RULE_KEYS[rule] else {}
        for key in self.keys_of(rule, wildcards):
            section, *rest = key.split(".")
            if section in BY_NAME and rest:
                section, rest = f"{section}.{rest[0]}", rest[1:]
            value = self._lookup(key)
            if not rest:
                values[section] = value
                continue
            place = values.setdefault(section, {})
            for part in rest[:-1]:
                place = place.setdefault(part, {})
            if value is not None:
                place[rest[-1]] = value
        if "method" in ENTRIES.get(rule, ()):
            values["method"] = self.chosen_methods[wildcards["method"]].entry
        if rule in ("inheritance", "report", "page") and self.trained_on:
            values["trained_on"] = self.trained_on
            values["writer"] = vars(self.writer)
        if self.config["plugins"]:
            values["plugins"] = self.config["plugins"]
        return json.dumps(values, sort_keys=True)

    def code_name(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return a name for the code of one job, which it shares with all jobs that run the same code.

        The rule and the entries that it opens, parted by what no name of a file can hold: ``infer/bbq/llama``.
        """
        return "/".join([rule, *self._entries(rule, wildcards)])

    def code(self, rule: str, wildcards: Mapping[str, str]) -> str:
        """Return the hash of the code that one job can run."""
        return self.code_named(self.code_name(rule, wildcards))

    def code_named(self, name: str) -> str:
        """Return the hash of the code that `code_name` names.

        Raises:
            KeyError: there is no such rule.
            ValueError: the rule opens other kinds of entries.
            InputError: there is no such entry.
        """
        rule, *entries = name.split("/")
        opened = dict(zip(ENTRIES.get(rule, ()), entries, strict=True))
        modules = [f"edgebias.stages.{rule}"]
        modules += [REGISTRIES[kind].module(entry) for kind, entry in opened.items() if kind in REGISTRIES]
        suites = [SUITES.get(suite) for suite in self.suites_opened(rule, opened)]
        if rule in SUITE_CODE:
            modules += [SUITES.module(suite.name) for suite in suites]
            modules += [getattr(suite, part) for suite in suites for part in SUITE_CODE[rule]]
            known = []
        elif rule in FETCHING:
            carried = rule == "fetch_benchmark_file"
            known = [str(file) for suite in suites for file in suite.files if (file.wheel is not None) == carried]
        else:  # what asking knows of a suite, and not what is said about its scores
            known = [suite.asking for suite in suites]
            modules += [suite.solutions for suite in suites if suite.solutions]
        found = code_hash(*modules)
        return hashlib.sha256(" ".join([found, *known]).encode()).hexdigest() if known else found

    def suites_opened(self, rule: str, opened: Mapping[str, str]) -> list[str]:
        """Return the suites that a job opens by name: its own, or those that the rule reads the items or scores of."""
        match rule:
            case _ if "suite" in opened:
                return [opened["suite"]]
            case _ if rule in FETCHING:  # a plugin's suite has files of its own, and makes no other suite's files stale
                return [suite for suite in SUITES.names() if SUITES.module(suite).startswith("edgebias.")]
            case "preferences":
                return list(SUITE_OF.values())
            case "rounds" | "score_rounds":
                return [parameters.ROUNDS_ASK]
            case "robustness" | "score_robustness":
                return [str(self.config["robustness"]["suite"])]
            case "directions" | "gate" | "conditional_steering" | "fit_feedback_loop":
                return self.steered_suites()
            case "layer_probes":
                return self.layer_probe_suites()
            case "mitigate" | "wins_back":
                return self.mitigated_suites()
            case "trust":
                return self.trust_suites()
            case "compare" | "decompose" | "inheritance" | "report" | "page":
                return self.suites
        return []

    def _entries(self, rule: str, wildcards: Mapping[str, str]) -> list[str]:
        names = dict(wildcards)
        if "environment" in names:
            names["backend"] = self.backend(names["environment"])
        if "method" in names:
            names["method"] = self.chosen_methods[names["method"]].name
        return [names[kind] for kind in ENTRIES.get(rule, ())]

    def _lookup(self, key: str) -> Any:
        *sections, last = key.split(".")
        value: Any = self.config
        for part in sections:
            value = value[part]
        return value.get(last) if sections else value[last]


def read_study(
    name: str | None = None, *, overlays: Sequence[Path] = (), overrides: Mapping[str, Any] | None = None
) -> Study:
    """Return the study that a command line asks for.

    Args:
        name: what ``config/NAME.yaml`` is called; None or `EDGE` for the default study.
        overlays: more files to be laid over it; without a ``name`` the study is called as the last of them.
        overrides: single keys that come last. A seed becomes part of the study's name: repeats stand side by side.

    Raises:
        InputError: there is no such study, or its parameters are at fault.
    """
    named = [] if name in (None, EDGE) else [OVERLAYS / f"{name}.yaml"]
    for path in named:
        if not path.exists():
            known = [EDGE, *sorted(other.stem for other in OVERLAYS.glob("*.yaml"))]
            raise InputError(f"study={name}: there is no {path}; choose one of {', '.join(known)}")
    layers = [*named, *overlays]
    config = parameters.load(PARAMS, *layers)
    if overrides:
        config = parameters.check(parameters.merge(config, dict(overrides)), "--config")
    called = name or (layers[-1].stem if layers else EDGE)
    if overrides and "seed" in overrides:
        called += f"-{overrides['seed']}"
    if strange := sorted(set(called) & set("{}[]*?<>|\n")):
        raise InputError(
            f"{layers[-1]}: a study is called as its file, and its folders cannot have a {strange[0]!r}; rename it"
        )
    own_builds = bool(layers) and _builds_otherwise(config, parameters.load(PARAMS))
    return Study(config, called, own_builds, (PARAMS, *layers))


def _builds_otherwise(config: Mapping[str, Any], default: Mapping[str, Any]) -> bool:
    """Return whether a build of the same name would not be the same file."""
    if config["variant_record"] != default["variant_record"]:
        return True
    variants, models = ((config[section], default[section]) for section in ("variants", "models"))
    return any(variants[0][name] != variants[1][name] for name in variants[0].keys() & variants[1].keys()) or any(
        models[0][name].get(key) != models[1][name].get(key)
        for name in models[0].keys() & models[1].keys()
        for key in ("source", "start_token", "full_type")
    )
