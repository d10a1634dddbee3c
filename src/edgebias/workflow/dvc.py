"""Write ``dvc.yaml`` from the Snakefile, the only place where the DAG is written.

Every job of the DAG becomes one DVC stage whose command hands that job back to Snakemake. ``--allowed-rules``
keeps Snakemake from running anything upstream inside the stage: after a restore the files are newer or older
than Snakemake remembers, and it would ask the model again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edgebias.core.errors import InputError, run_stage
from edgebias.core.files import write_text
from edgebias.study import keys_of

HEADER = "# Generated from the Snakefile by `make dvc.yaml`; do not edit.\n"
UNCACHED = frozenset({"results/report/metrics.json"})
"""Small and in git, so that every change of a number is a diff in review."""
EXAMPLE = "example: python -m edgebias.workflow.dvc --output dvc.yaml"


@dataclass(frozen=True)
class Job:
    """One job of the DAG."""

    rule: str
    wildcards: Mapping[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def stage(self) -> str:
        """A name that is legal in DVC and says what the job is."""
        return "-".join([self.rule, *self.wildcards.values()])


def jobs_of(snakefile: Path, configfiles: Sequence[Path]) -> list[Job]:
    """All jobs of a full run, sorted; needs no data and runs nothing.

    Uses two private calls of Snakemake (`Workflow._prepare_dag`, `Workflow._build_dag`): its public
    listings show recorded inputs, which are stale or absent. Only this generator and its test use them.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=list(configfiles)),
            snakefile=snakefile,
        )
        workflow_api.dag(dag_settings=DAGSettings(targets={"all"}, forceall=True))
        workflow = workflow_api._workflow
        workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        jobs = [
            Job(
                rule=job.rule.name,
                wildcards={name: str(value) for name, value in job.wildcards_dict.items()},
                inputs=tuple(sorted(str(path) for path in set(job.input))),
                outputs=tuple(sorted(str(path) for path in job.output)),
            )
            for job in workflow.dag.jobs
            if job.output
        ]
    return sorted(jobs, key=lambda job: job.stage)


def stages(jobs: Iterable[Job], params: Mapping[str, Any]) -> dict[str, Any]:
    """The ``stages`` section for ``jobs``; ``params`` is ``params.yaml`` as DVC reads it."""
    return {job.stage: _stage(job, params) for job in jobs}


def _stage(job: Job, params: Mapping[str, Any]) -> dict[str, Any]:
    stage: dict[str, Any] = {
        "cmd": f"snakemake --cores all --allowed-rules {job.rule} -- {' '.join(job.outputs)}",
        "deps": [path for path in job.inputs if path != "params.yaml"],
        "params": [key for key in keys_of(job.rule, job.wildcards) if _has(params, key)],
        "outs": [{path: {"cache": False}} if path in UNCACHED else path for path in job.outputs],
    }
    return {name: value for name, value in stage.items() if value}


def _has(params: Mapping[str, Any], key: str) -> bool:
    value: Any = params
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True


def render(jobs: Sequence[Job], params: Mapping[str, Any]) -> str:
    """``dvc.yaml`` as text: stages, metrics, plots and artifacts."""
    models = [job for job in jobs if job.rule in {"full_precision", "compress"}]
    document: dict[str, Any] = {
        "stages": stages(jobs, params),
        "metrics": ["results/report/metrics.json"],
        "plots": [
            {path: {"x": "round", "y": "bias", "title": "Feedback loop: bias of the window by round"}}
            for job in jobs
            if job.rule == "fit_feedback_loop"
            for path in job.outputs
            if path.endswith("trajectory.csv")
        ],
        "artifacts": {
            job.stage.replace("_", "-"): {"path": path, "type": "model", "desc": f"{job.rule} {dict(job.wildcards)}"}
            for job in models
            for path in job.outputs
            if path.endswith(".gguf")
        },
    }
    filled = {name: value for name, value in document.items() if value}
    return HEADER + yaml.safe_dump(filled, sort_keys=False, width=1000, allow_unicode=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Write ``dvc.yaml``, or check that the committed one is current."""
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.workflow.dvc", description="Write dvc.yaml from the Snakefile.", epilog=EXAMPLE
    )
    parser.add_argument("--snakefile", type=Path, default=Path("Snakefile"))
    parser.add_argument("--output", type=Path, default=Path("dvc.yaml"))
    parser.add_argument("--check", action="store_true", help="exit 2 where the file is not what would be written")
    arguments = parser.parse_args(argv)
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    text = render(jobs_of(arguments.snakefile, []), params)
    if not arguments.check:
        write_text(text, arguments.output)
        return
    committed = arguments.output.read_text(encoding="utf-8") if arguments.output.exists() else ""
    if yaml.safe_load(committed) != yaml.safe_load(text):
        raise InputError(f"{arguments.output} does not match the Snakefile and params.yaml; run `make dvc.yaml`")
    print(f"{arguments.output} matches the Snakefile", file=sys.stderr)


if __name__ == "__main__":
    run_stage(main)
