# What every rule uses: the checked configuration, and functions that turn wildcards into files and settings.
# REQUIRED INPUTS: params.yaml (and files given by --configfile). OUTPUTS: none.
import os
import sys
from pathlib import Path

from edgebias.errors import InputError
from edgebias.variants.transformers_files import TRANSFORMERS_FILES
from edgebias.workflow import params as parameters
from edgebias.workflow.closure import code_of
from edgebias.workflow.needs import describe, needs_of
from edgebias.workflow.study import RAW, Cell, Study

try:
    study = Study(
        parameters.check(config, " + ".join(str(path) for path in workflow.configfiles))
    )
except InputError as error:
    raise WorkflowError(str(error)) from None

# Jobs run in the interpreter that runs Snakemake, whether or not its environment is activated. Waiting
# threads sleep: threads that spin on busy cores slow llama.cpp down by a factor of thirty.
shell.prefix(
    f"export PATH='{Path(sys.executable).parent}':\"$PATH\" OMP_WAIT_POLICY=passive TOKENIZERS_PARALLELISM=false; "
)


wildcard_constraints:
    environment="|".join(sorted(study.config["environments"])),
    model="|".join(sorted(study.config["models"])),
    variant="|".join(sorted(study.config["variants"])),
    suite="|".join(study.suites),
    method="none|instruction|feedback_loop",


def settings_of(rule):
    def settings(wildcards):
        return study.settings(rule, wildcards)

    return settings


def cell_of(wildcards):
    return Cell(wildcards.environment, wildcards.model, wildcards.variant)


def weights_of(wildcards):
    return study.weights(cell_of(wildcards))


def weights_option_of(wildcards):
    return study.weights_option(cell_of(wildcards))


def threads_of(wildcards):
    return study.config["environments"][wildcards.environment]["threads"]


def memory_of(wildcards):
    return study.config["environments"][wildcards.environment]["memory_mb"]


if workflow.dryrun:
    print(describe(needs_of(study)), file=sys.stderr)
