"""The parameters: one model of ``params.yaml``, which is its only validator and holds defaults, bounds and prose.

Sections are records beside the code that uses them. This module puts them together, checks what no section can check
alone (names of cells, builds, methods), and says what went wrong in one line.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from edgebias.backends.registry import BACKENDS, backends_with, properties_of
from edgebias.backends.settings import EnvironmentSettings
from edgebias.checks.settings import ParitySettings
from edgebias.core.errors import InputError
from edgebias.core.record import Record, SetOf, checked, completed, near, show
from edgebias.core.registry import load_plugins
from edgebias.core.yaml_file import read_yaml
from edgebias.infer.settings import InferSettings, RobustnessSettings, RoundSettings
from edgebias.infer.study_settings import CellName, StudySettings
from edgebias.infer.wording import LETTER_CHAT
from edgebias.mitigate.pairs import pairs_of
from edgebias.mitigate.parameters import MitigateSettings
from edgebias.mitigate.registry import NONE, choose_all
from edgebias.mitigate.settings import LayerProbeSettings
from edgebias.models.settings import BenchmarkSource, ModelSettings, VariantRecordSettings
from edgebias.score.settings import CompareSettings, IntervalSettings
from edgebias.suites.registry import SUITES
from edgebias.suites.settings import PromptSettings, SubsampleSettings
from edgebias.train.damage.settings import DamageSettings
from edgebias.train.gender_tail_settings import GenderTailSettings
from edgebias.train.mixture_settings import AugmentationSettings, MixtureSettings
from edgebias.train.settings import BuildSettings, PreferenceSettings

PROJECT = Path(__file__).resolve().parents[2]
"""The checkout: the package is installed from it, editable, because the workflow lives beside it."""


BUILDS = ("edge_build", "desktop_build", "cloud_build")
CELL_LISTS = ("rounds", "robustness", "layer_probes", "wins_back")
"""Keys of ``study`` that name a cell, and those that list cells."""

ROUNDS_ASK = "forced_choice"
"""The suite of repeated rounds."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")

LONGEST_KEY = 200
"""Characters of a key: twice the longest name."""


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise PydanticCustomError(
            "custom", "a name of letters, digits, - and _ is needed, 100 at most: it becomes part of paths"
        )
    return text


Name = Annotated[str, AfterValidator(_name)]
"""A name of the user's own, which is part of paths."""


class Params(Record):
    """All parameters of a study."""

    seed: int = Field(ge=0)
    """Every random choice of the study is derived from it."""
    plugins: SetOf[str] = ()
    """Modules of your own that add suites, backends or mitigation methods; they are searched from this folder."""
    study: StudySettings
    """What is studied."""
    models: dict[Name, ModelSettings] = Field(min_length=1)
    """The models, by a name of your own."""
    benchmarks: BenchmarkSource
    """Where the published benchmarks come from."""
    variants: dict[Name, BuildSettings]
    """The builds, by a name of your own; full is the model as it was published."""
    variant_record: VariantRecordSettings = VariantRecordSettings()
    """Sizes of the two neutral texts that a build is made and described with."""
    environments: dict[Name, EnvironmentSettings] = Field(min_length=1)
    """What runs the models, by a name of your own."""
    prompts: PromptSettings
    """The items: how much of each suite, and which share calibrates."""
    infer: InferSettings
    """How items are asked."""
    rounds: RoundSettings = RoundSettings()
    """Repeated rounds: the over-time question."""
    robustness: RobustnessSettings = RobustnessSettings()
    """Format robustness: the levels of each factor, and how many items cross them."""
    parity: ParitySettings = ParitySettings()
    """The check that two backends run the same model."""
    score: IntervalSettings = IntervalSettings()
    """Intervals of the scores."""
    compare: CompareSettings = CompareSettings()
    """Contrasts of cells."""
    mitigate: MitigateSettings = MitigateSettings()
    """Mitigation: the loop, its directions, and the methods that it is compared with."""
    preferences: PreferenceSettings = PreferenceSettings()
    """Preferences that a build can be tuned to so that it does not matter who asks."""
    augmentation: AugmentationSettings = AugmentationSettings()
    """Texts about people at work that a model of the study writes itself."""
    mixtures: dict[Name, MixtureSettings] = Field(default={})
    """Training examples of original sentences and augmented texts: data/items/STUDY/mixture_NAME.parquet."""
    gender_tail: GenderTailSettings = GenderTailSettings()
    """Real sentences about people that a build can be trained on: with few women, with half, or with few men."""
    damage: DamageSettings | None = None
    """What damaged pre-training data pass on, measured on images with small networks; left out, nothing is measured."""
    layer_probes: LayerProbeSettings = LayerProbeSettings()
    """Probes of what can be read of a stereotype in each block."""


def read(config: Mapping[str, Any], origin: str) -> Params:
    """Return the parameters in ``config``, checked.

    Args:
        config: the parameters as read.
        origin: the file they came from, for the message.

    Raises:
        InputError: an unknown key, a bad value, or a name that is not defined; the line names ``origin``, the key, what
            was given, and what is allowed.
    """
    _check_lengths(config, origin)
    plugins = config.get("plugins", [])
    if isinstance(plugins, list) and all(isinstance(name, str) for name in plugins):
        try:
            load_plugins(plugins)
        except InputError as error:
            raise InputError(f"{origin}: {error}") from error
    params = checked(Params, dict(config), origin)
    _check_suites(params, origin)
    _check_environments(params, origin)
    _check_cells(params, origin)
    _check_variants(params, origin)
    _check_training(params, origin)
    _check_mixtures(params, origin)
    _check_rounds(params, origin)
    _check_robustness(params, origin)
    _check_layer_probes(params, origin)
    _check_methods(params, origin)
    _check_wins_back(params, origin)
    _check_chat(params, origin)
    return params


def _check_lengths(values: Any, origin: str, *above: str) -> None:
    """Refuse a key that is longer than any name, which would fill the line of every later fault."""
    for key, value in values.items() if isinstance(values, Mapping) else ():
        length = len(str(key))
        if length > LONGEST_KEY:
            place = ".".join(above) or "the top level"
            raise InputError(f"{origin}: a key at {place} has {length} characters, more than {LONGEST_KEY}; correct it")
        _check_lengths(value, origin, *above, str(key))


def check(config: Mapping[str, Any], origin: str) -> dict[str, Any]:
    """Return a copy of ``config`` in which every absent key that has a default is filled in.

    Values stay as they were written.

    Raises:
        InputError: as `read` does.
    """
    params = read(config, origin)
    complete = completed(config, params)
    for suite in params.study.suites:
        complete["prompts"].setdefault(suite, completed({}, SubsampleSettings()))
    return complete


def load(*paths: Path) -> dict[str, Any]:
    """Read ``paths`` one over another (mappings merge, other values replace), complete and check.

    Raises:
        InputError: a file cannot be read, or as `read` does.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        layer = read_yaml(path)
        if not isinstance(layer, dict):
            raise InputError(f"{path}: a mapping of parameters is needed")
        merged = _of_its_own_cells(merge(merged, layer), layer)
    return check(merged, " + ".join(str(path) for path in paths))


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``above`` laid over ``below``, as Snakemake lays one configuration file over another."""
    result = copy.deepcopy(dict(below))
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def _of_its_own_cells(merged: dict[str, Any], layer: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what the files below ``layer`` say of cells that it replaces.

    Lists of cells keep those that are left. A build that is gone becomes the first cell.
    """
    own = layer.get("study")
    if not isinstance(own, dict) or "cells" not in own:
        return merged
    study: dict[str, Any] = merged["study"]
    try:
        cells = [
            {"environment": group["environment"], "model": group["model"], "variant": variant}
            for group in own["cells"]
            for variant in group["variants"]
        ]
        kept = {
            name: [cell for cell in study[name] if cell in cells]
            for name in CELL_LISTS
            if name not in own and name in study
        }
    except (KeyError, TypeError):
        return merged  # one of them is no cell, which `check` says better
    builds = {name: cells[0] for name in BUILDS if cells and name not in own and study.get(name) not in cells}
    return {**merged, "study": {**study, **kept, **builds}}


def _check_suites(params: Params, origin: str) -> None:
    known = [*PromptSettings.model_fields, *SUITES.names()]
    for key in params.prompts.__pydantic_extra__ or {}:
        if key not in known:
            allowed = ", ".join(sorted(known))
            raise InputError(f"{origin}: unknown key {show(key)} at prompts; {near(key, known)}allowed keys: {allowed}")
    for suite in params.study.suites:
        if suite not in params.infer.formats:
            raise InputError(f"{origin}: infer.formats has no entry for suite {show(suite)}; name its formats")
        can = SUITES.get(suite).formats
        for name in params.infer.formats[suite]:
            if name not in can:
                raise InputError(
                    f"{origin}: infer.formats.{suite}: it cannot be asked as {name!r}; allowed values: {', '.join(can)}"
                )


def _check_environments(params: Params, origin: str) -> None:
    for name, environment in params.environments.items():
        known = sorted({*EnvironmentSettings.model_fields, *BACKENDS.get(environment.backend).settings})
        for key in environment.__pydantic_extra__ or {}:
            if key not in known:
                raise InputError(
                    f"{origin}: unknown key {show(key)} at environments.{name}; {near(key, known)}allowed keys: "
                    f"{', '.join(known)}"
                )


def _check_cells(params: Params, origin: str) -> None:
    study = params.study
    defined: set[tuple[str, str, str]] = set()
    for place, group in enumerate(study.cells):
        names = [("environments", group.environment), ("models", group.model)]
        names += [("variants", variant) for variant in group.variants]
        for section, name in names:
            _check_defined(params, f"{origin}: study.cells[{place}]: {show(name)}", section, name)
        defined |= {(group.environment, group.model, variant) for variant in group.variants}
    references = {f"study.{name}": getattr(study, name) for name in BUILDS}
    for name in CELL_LISTS:
        references |= {f"study.{name}[{place}]": cell for place, cell in enumerate(getattr(study, name))}
    for where, cell in references.items():
        if _triple(cell) not in defined:
            given = show("/".join(_triple(cell)))[1:-1]
            cells = ", ".join("/".join(names) for names in sorted(defined))
            raise InputError(
                f"{origin}: {where} names a cell that study.cells does not list: {given}; add it there, or name one of "
                f"{cells}"
            )


def _triple(cell: CellName) -> tuple[str, str, str]:
    return cell.environment, cell.model, cell.variant


def _check_defined(params: Params, what: str, section: str, name: str) -> None:
    names = sorted(getattr(params, section))
    if name not in names:
        raise InputError(f"{what} is not in {section}; {near(name, names)}allowed values: {', '.join(names)}")


def _check_rounds(params: Params, origin: str) -> None:
    if params.study.rounds and ROUNDS_ASK not in params.study.suites:
        raise InputError(
            f"{origin}: study.rounds: repeated rounds ask {ROUNDS_ASK}, which is not in study.suites; add it there, or "
            "set study.rounds to []"
        )


def _check_robustness(params: Params, origin: str) -> None:
    for place, cell in enumerate(params.study.robustness):
        if not properties_of(params.environments[cell.environment].model_dump()).scores_options:
            raise InputError(
                f"{origin}: study.robustness[{place}]: environment {cell.environment!r} gives no log-probabilities; "
                f"name cells whose backend is one of {', '.join(backends_with('scores_options'))}"
            )
    suite, suites = params.robustness.suite, params.study.suites
    if params.study.robustness and suite not in suites:
        raise InputError(
            f"{origin}: robustness.suite: {show(suite)} is not in study.suites; allowed values: {', '.join(suites)}"
        )


def _check_layer_probes(params: Params, origin: str) -> None:
    for place, cell in enumerate(params.study.layer_probes):
        if not properties_of(params.environments[cell.environment].model_dump()).steerable:
            raise InputError(
                f"{origin}: study.layer_probes[{place}]: environment {cell.environment!r} does not show what is inside "
                f"its model; name cells whose backend is {' or '.join(backends_with('steerable'))}"
            )
    suites = params.layer_probes.suites
    if params.study.layer_probes and not set(suites) & set(params.study.suites):
        raise InputError(
            f"{origin}: layer_probes.suites: none of {list(suites)} is in study.suites; allowed values: "
            f"{', '.join(params.study.suites)}"
        )


def _check_chat(params: Params, origin: str) -> None:
    """Check that a model with ``chat: false`` is asked nothing but what needs no chat template."""
    without = {name for name, model in params.models.items() if model.chat is False}
    study = params.study
    chatting = [f"study.rounds[{place}]" for place, cell in enumerate(study.rounds) if cell.model in without]
    if LETTER_CHAT in params.robustness.templates:
        chatting += [
            f"study.robustness[{place}] (robustness.templates has {LETTER_CHAT})"
            for place, cell in enumerate(study.robustness)
            if cell.model in without
        ]
    if chatting:
        raise InputError(
            f"{origin}: {chatting[0]} asks in chat turns, and its model has `chat: false`; take the cell out, or name "
            "an instruction-tuned model"
        )


def _check_training(params: Params, origin: str) -> None:
    """Check that no model without a chat template is trained in chat turns."""
    for place, group in enumerate(params.study.cells):
        if params.models[group.model].chat is not False:
            continue
        for variant in group.variants:
            for name in _lineage(params, variant):
                training = params.variants[name].train
                if training is not None and training.wording == "chat":
                    raise InputError(
                        f"{origin}: study.cells[{place}]: variants.{name} trains in chat turns, and model "
                        f"{group.model!r} has `chat: false`; set variants.{name}.train.wording: text"
                    )


def _check_mixtures(params: Params, origin: str) -> None:
    """Check that a cell of the study writes augmented texts, and enough of them for every mixture."""
    texts = params.augmentation
    defined = {cell for group in params.study.cells for cell in group.all_cells}
    if texts.writer is not None and texts.writer.cell not in defined:
        raise InputError(
            f"{origin}: augmentation.writer names a cell that study.cells does not list: {texts.writer.cell.path}; "
            "add it there, or name one of them"
        )
    for name, mixture in params.mixtures.items():
        wanted = mixture.augmented_per_job
        if wanted > texts.texts_per_job:
            raise InputError(
                f"{origin}: mixtures.{name} wants {wanted} augmented texts of each job, and augmentation.texts_per_job "
                f"is {texts.texts_per_job}; raise it"
            )


def _lineage(params: Params, variant: str) -> Iterator[str]:
    """Yield a build and those that it is made from."""
    name: str | None = variant
    while name is not None:
        yield name
        name = params.variants[name].parent


def _check_methods(params: Params, origin: str) -> None:
    for place, chosen in enumerate(choose_all(params.study.methods, origin).values()):
        if chosen.steering is not None and chosen.steering.build is not None:
            build = chosen.steering.build
            _check_defined(params, f"{origin}: study.methods.{place}.build: {show(build)}", "variants", build)


def _check_wins_back(params: Params, origin: str) -> None:
    """Check that builds whose vectors are compared can be steered, and that the methods are there which do it."""
    study = params.study
    for place, cell in enumerate(study.wins_back):
        if not properties_of(params.environments[cell.environment].model_dump()).steerable:
            raise InputError(
                f"{origin}: study.wins_back[{place}]: environment {cell.environment!r} cannot be steered; name cells "
                f"whose backend is {' or '.join(backends_with('steerable'))}"
            )
    if study.wins_back:
        chosen = choose_all(study.methods, origin)
        if NONE not in chosen or not pairs_of(chosen):
            raise InputError(
                f"{origin}: study.wins_back compares vectors, and study.methods lacks what steers along them; add "
                "none, open_loop and {method: open_loop, build: full}"
            )


def _check_variants(params: Params, origin: str) -> None:
    if "full" not in params.variants:
        raise InputError(f"{origin}: variants.full is missing; give an empty mapping: it is the model as published")
    for name, variant in params.variants.items():
        if name == "full":
            continue
        where = f"{origin}: variants.{name}"
        names = sorted(params.variants)
        if variant.parent not in names:
            raise InputError(
                f"{where}.from is {show(variant.parent)}; {near(variant.parent, names)}allowed values: "
                f"{', '.join(names)}"
            )
        ways = ("quantise", "prune", "fake_quantise", "train")
        if all(getattr(variant, way) is None for way in ways):
            raise InputError(f"{where} changes nothing; give {', '.join(ways[:-1])} or {ways[-1]}")
    for name in params.variants:
        seen, parent = set[str](), params.variants[name].parent
        while name != "full" and parent is not None and parent != "full":
            if parent in {name, *seen}:
                raise InputError(f"{origin}: variants.{name}.from leads back to itself")
            seen.add(parent)
            parent = params.variants[parent].parent
