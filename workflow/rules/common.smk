# Shared by all stages: the checked configuration, and functions that turn wildcards into files and settings.
# REQUIRED INPUTS: params.yaml, config/NAME.yaml with `--config study=NAME`. OUTPUTS: none.
import os
import sys
from dataclasses import replace
from pathlib import Path
from shlex import quote

from edgebias.core.cell import Cell
from edgebias.core.errors import InputError
from edgebias.mitigate.base import OWN, SHIPPED
from edgebias.mitigate.steering.folds import ALL, MEAN_OF_FOLDS, fitted_on_of
from edgebias.models import neutral_text
from edgebias.models.transformers_files import TRANSFORMERS_FILES
from edgebias.workflow import lock, preflight
from edgebias.workflow.needs import check_models_chat, describe, is_dry_run, needs_of
from edgebias.study import LIBRARY_PYTHON, RAW, one_of, read_study
from edgebias.suites.identities import SUITE_OF
from edgebias.suites import occupation_sentences
from edgebias.train.augmentation_prompts import KINDS
from edgebias.train.damage.images import MNIST
from edgebias.train.gender_tail_settings import TAILS
from edgebias.train.settings import SYSTEMS

preflight.name_the_user()
try:
    study = read_study(
        workflow.config_settings.config.get("study"),
        overlays=workflow.config_settings.configfiles,
        overrides={
            key: value
            for key, value in workflow.config_settings.config.items()
            if key != "study"
        },
    )
    check_models_chat(study)
    if preflight.is_run(sys.argv):
        lock.hold()
        preflight.check(study, workflow.resource_settings.cores)
except InputError as error:
    raise WorkflowError(str(error)) from None


# What a study writes lies in folders of its own; raw data and builds are shared.
pathvars:
    results=study.results,
    items=study.items,
    models=study.models,
    logs=study.logs,
    benchmarks=f"{study.logs}/benchmarks",


# Jobs run in the interpreter that runs Snakemake, whether or not its environment is activated. Waiting
# threads sleep: threads that spin on busy cores slow llama.cpp down by a factor of thirty.
shell.prefix(
    f'export PATH={quote(str(Path(sys.executable).parent))}:"$PATH" '.replace(
        "{", "{{"
    ).replace("}", "}}")
    + "OMP_WAIT_POLICY=passive TOKENIZERS_PARALLELISM=false; "
)


wildcard_constraints:
    environment=one_of(sorted(study.config["environments"])),
    model=one_of(sorted(study.config["models"])),
    variant=one_of(sorted(study.config["variants"])),
    mixture=one_of(study.mixtures),
    kind=one_of(KINDS),
    suite=one_of(study.suites),
    carried=one_of(study.carried_files()),
    method=one_of(study.methods),
    loop=one_of(study.loops),
    source="learned|gradient|difference_of_means|pca|probe|single_layer",
    fitted_on="all|all_but_fold_[1-9][0-9]*",


# Published files are checked against their ids, which are code: that they were fetched again changes nothing.
TEXTS = ancient(f"{RAW}/{neutral_text.PATH}")


SMALLER_MODEL_MB = 270  # its file at 16 bits
LEARNING_MEMORY_MB = 2800  # measured: 2,690 at most on the default study
TRAINING_MEMORY_MB = 2000
TOKEN_MB = 2.5  # what a token keeps for its gradient, of SmolLM2-135M with adapters


def settings_of(rule):
    def settings(wildcards):
        return study.settings(rule, wildcards)

    return settings


def code_of(rule):
    """The hash of the code that a job can run: a job is done again where it changes."""

    def code(wildcards):
        return study.code(rule, wildcards)

    return code


def cell_of(wildcards):
    return Cell(wildcards.environment, wildcards.model, wildcards.variant)


def weights_of(wildcards):
    return study.weights(cell_of(wildcards))


def repeated(flag, name):
    """``flag`` once for each file of the input ``name``."""

    def options(wildcards, input):
        return " ".join(f"{flag} {quote(path)}" for path in input[name])

    return options


def weights_option_of(wildcards):
    return study.weights_option(cell_of(wildcards))


def threads_of(wildcards):
    return study.config["environments"][wildcards.environment]["threads"]


def memory_of(wildcards, input):
    """Megabytes: what a process took at most with the default study's smaller model, and what a larger file adds.

    llama.cpp maps the file; transformers unpacks 16 bits to 32 and holds them twice while they are packed.
    """
    backend = study.properties(wildcards.environment)
    weights = input.get("weights", [])
    files = [weights] if isinstance(weights, str) else weights
    megabytes = sum(os.stat(path).st_size // 1_000_000 for path in files)
    copies = 4 if backend.weights == "transformers" else 1
    return backend.job_memory_mb + copies * max(0, megabytes - SMALLER_MODEL_MB)


def learning_memory_of(wildcards, input):
    """Of finding directions: learned ones go through the model in torch, by gradient."""
    if wildcards.source == "learned":
        return LEARNING_MEMORY_MB
    return memory_of(wildcards, input)


def items_folder(wildcards):
    return study.items


def raw_folder(wildcards):
    return RAW


def results_folder(wildcards):
    return study.results


def models_folder(wildcards):
    return study.models


def items_of(suites):
    return [f"{study.items}/{suite}.parquet" for suite in suites]


def files_of_study(wildcards):
    return " ".join(f"--file {quote(path)}" for path in study.files())


def sources_of(wildcards):
    published = [
        *study.raw_files(),
        *(f"{RAW}/{path}" for path in study.carried_files()),
    ]
    return [
        ancient(path) if path in published else path
        for path in study.raw_files_of(wildcards.suite)
    ]


def parent_of(wildcards):
    return f"{study.models}/{wildcards.model}/{study.parent(wildcards.variant)}.gguf"


def folder_of_parent(wildcards):
    folder = f"{study.models}/{wildcards.model}/{study.parent(wildcards.variant)}.transformers"
    return [f"{folder}/{name}" for name in TRANSFORMERS_FILES]


def preference_sources(wildcards):
    """The published files that items of safety and utility are made from."""
    files = [path for suite in SUITE_OF.values() for path in study.raw_files_of(suite)]
    return [ancient(path) for path in dict.fromkeys(files)]


def examples_of(wildcards):
    return study.trainings[wildcards.variant].data


def training_memory_of(wildcards, input):
    """Megabytes: what a pass of tokens takes, and copies of the weights as 32-bit floats, twice the parent's file.

    With adapters that is the model, and its pass in 64 bits; full training holds gradients, moments and the best weights.
    """
    training = study.trainings[wildcards.variant]
    copies = 2 if training.method == "lora" else 5
    # aligned examples of a step are held together, not in passes
    held = TOKEN_MB * training.batch * training.longest if training.align > 0 else 0
    return (
        TRAINING_MEMORY_MB
        + int(held)
        + 2 * copies * os.stat(input.parent).st_size // 1_000_000
    )


def occupation_files(*files):
    """Published files about people at work."""
    return [ancient(f"{RAW}/{file.path}") for file in files]


def augmented_of(wildcards):
    """The texts of a mixture's type of bias."""
    mixture = study.mixtures[wildcards.mixture]
    return [] if mixture.bias is None else study.augmented(mixture.bias)


def texts_option_of(wildcards):
    path = augmented_of(wildcards)
    return f"--texts {quote(path)}" if path else ""


def formats_checked(wildcards):
    """The check of a model whose weights are here."""
    local = study.weights(cell_of(wildcards))
    return f"{study.results}/model_formats/{wildcards.model}.json" if local else []


def asked_in_chat(wildcards):
    return " ".join(f"--asked {key}" for key in study.asks_in_chat(wildcards.model))


def full_responses(backend):
    def responses(wildcards):
        cell = study.parity_cells(wildcards.model)[backend]
        return [
            f"{study.results}/responses/{cell.path}/{suite}.parquet"
            for suite in study.parity_suites(wildcards.model)
        ]

    return responses


def parity_memory_of(wildcards, input):
    """Megabytes: the libraries and, in transformers, the weights as 32-bit floats twice while they are packed."""
    return 1500 + 4 * os.stat(input.weights).st_size // 1_000_000


def parity_items(wildcards):
    return items_of(study.parity_suites(wildcards.model))


def full_in_transformers(wildcards):
    return f"{study.models}/{wildcards.model}/full.transformers"


def baseline_of(wildcards):
    if wildcards.method == "none":
        return []
    return (
        f"{study.results}/mitigation/{cell_of(wildcards).path}/none/responses.parquet"
    )


def baseline_option_of(wildcards):
    path = baseline_of(wildcards)
    return f"--baseline {quote(path)}" if path else ""


def directions_file(cell, source, fitted_on):
    return f"{study.results}/mitigation/{cell.path}/directions/{source}/{fitted_on}/control_vector.gguf"


def directions_of(wildcards):
    source = study.config["mitigate"]["directions"]
    return directions_file(cell_of(wildcards), source, MEAN_OF_FOLDS)


def directions_without_of(wildcards):
    """Of a source, or of the one that the loop steers along."""
    mitigate = study.config["mitigate"]
    source = wildcards.get("source") or mitigate["directions"]
    return [
        directions_file(cell_of(wildcards), source, fitted_on)
        for fitted_on in fitted_on_of(mitigate["folds"])
    ]


def control_vector_of(wildcards):
    steering = study.chosen_methods[wildcards.method].steering
    if steering is None:
        return []
    cell = cell_of(wildcards)
    if steering.vector == OWN:
        return f"{study.results}/mitigation/{cell.path}/{wildcards.method}/control_vector.gguf"
    found_on = replace(cell, variant=steering.build or cell.variant)
    if steering.vector == SHIPPED:
        source = study.config["mitigate"]["directions"]
        return directions_file(found_on, source, MEAN_OF_FOLDS)
    return directions_file(found_on, steering.vector, ALL)


def control_vector_option_of(wildcards):
    path = control_vector_of(wildcards)
    return f"--control-vector {quote(path)}" if path else ""


def gate_of(wildcards):
    """Of a method, or of the loop that is one."""
    label = wildcards.get("method") or wildcards.loop
    steering = study.chosen_methods[label].steering
    if steering is None or steering.gate is None:
        return []
    folder = f"{study.results}/mitigation/{cell_of(wildcards).path}"
    return (
        f"{folder}/{label}/condition.json"
        if steering.gate == OWN
        else f"{folder}/gate.json"
    )


def gate_option_of(wildcards):
    path = gate_of(wildcards)
    return f"--gate {quote(path)}" if path else ""


if is_dry_run(sys.argv[1:]):
    print(describe(needs_of(study)), file=sys.stderr)
