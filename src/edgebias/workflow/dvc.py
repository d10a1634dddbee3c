"""Write ``dvc.yaml`` from the Snakefile, the only place where the DAG is written.

Every job of the DAG becomes one DVC stage whose command hands that job back to Snakemake; quick jobs of a cell share
one (`TOGETHER`). ``--allowed-rules`` keeps Snakemake from running anything upstream inside the stage: after a restore
the files are newer or older than Snakemake remembers, and it would ask the model again. The stages of a rule that take
the same kinds of files share one definition (``foreach``). What measures time or describes the machine is no output
that DVC records; a job that makes nothing else has a stage without outputs, which no restore replaces.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edgebias.core.errors import InputError
from edgebias.core.files import write_text
from edgebias.study import EDGE, Study, read_study

HEADER = "# Generated from the Snakefile by `make dvc.yaml`; do not edit.\n"
BY_PRODUCTS = frozenset({"cost", "provenance", "page"})
"""Outputs, by their names in the rules, that differ from run to run: nothing depends on them."""

TOGETHER: Mapping[str, str] = {"score": "suite"}
"""Rules whose jobs take seconds, and the wildcard in which jobs of one stage differ.

For each stage Snakemake starts anew and DVC writes its whole lock, which takes longer than such a job.
"""

IN_GIT = "metrics.json"
"""Small and in git, so that every change of a number is a diff in review."""

CODE_FOLDER = "data/code"


@dataclass(frozen=True)
class Job:
    """One job of the DAG; inputs and outputs by their names in the rule, those without a name under ``""``."""

    rule: str
    wildcards: Mapping[str, str]
    inputs: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, tuple[str, ...]]

    @property
    def name(self) -> str:
        """What tells it from other jobs of its rule."""
        return "-".join(self.wildcards.values())

    @property
    def recorded(self) -> tuple[str, ...]:
        """The outputs that are the same in every run."""
        return tuple(path for name, paths in self.outputs.items() if name not in BY_PRODUCTS for path in paths)


@dataclass(frozen=True)
class Stage:
    """Jobs of one rule as DVC sees them: what they need, by kind, and what they make.

    Attributes:
        rule: the rule of all of them.
        wildcards: those that they share.
        targets: the files that Snakemake is asked for.
        deps: files, by the name of the input.
        params: dotted keys of ``params.yaml``.
        outs: what DVC records.
    """

    rule: str
    wildcards: Mapping[str, str]
    targets: tuple[str, ...]
    deps: Mapping[str, tuple[str, ...]]
    params: tuple[str, ...]
    outs: tuple[str, ...]

    @property
    def name(self) -> str:
        """What tells it from other stages of its rule."""
        return "-".join(self.wildcards.values())

    @property
    def kinds(self) -> frozenset[str]:
        """The inputs that it has."""
        return frozenset(name for name, paths in self.deps.items() if paths)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many files of each kind, and parameters: stages that share a definition have the same."""
        return (*(len(paths) for paths in self.deps.values()), len(self.params), len(self.outs), len(self.targets))


class _Line(dict[str, Any]):
    """A mapping that is written in one line."""


class _Dumper(yaml.SafeDumper):
    """Lists and `_Line` in one line, other mappings in several."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write what occurs twice twice."""
        return True


_MAP, _SEQUENCE = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"
_Dumper.add_representer(_Line, lambda dumper, data: dumper.represent_mapping(_MAP, data, flow_style=True))
_Dumper.add_representer(list, lambda dumper, data: dumper.represent_sequence(_SEQUENCE, data, flow_style=True))


def jobs_of(snakefile: Path) -> list[Job]:
    """Return all jobs of a full run, sorted; needs no data and runs nothing.

    Uses two private calls of Snakemake (`Workflow._prepare_dag`, `Workflow._build_dag`): its public
    listings show recorded inputs, which are stale or absent. Only this generator and its test use them.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        workflow_api = api.workflow(
            resource_settings=ResourceSettings(cores=1),
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
                inputs=_named(job.input),
                outputs=_named(job.output),
            )
            for job in workflow.dag.jobs
            if job.output
        ]
    return sorted(jobs, key=lambda job: (job.rule, job.name))


def _named(files: Any) -> dict[str, tuple[str, ...]]:
    """Return the files of a job by name."""
    named = {name: (str(value),) if isinstance(value, str) else tuple(map(str, value)) for name, value in files.items()}
    known = {path for paths in named.values() for path in paths}
    unnamed = tuple(str(path) for path in files if str(path) not in known)
    return {**({"": unnamed} if unnamed else {}), **named}


def document(jobs: Sequence[Job], study: Study, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``dvc.yaml``; ``params`` is ``params.yaml`` as DVC reads it."""
    metrics = [path for job in jobs for path in job.recorded if path.endswith(IN_GIT)]
    builds = [job for job in jobs if job.rule in {"full_precision", "compress", "compress_by_library", "train"}]
    content = {
        "stages": {"code": _code(jobs, study), **_stages(jobs, study, params)},
        "metrics": metrics,
        "plots": [
            _Line({path: {"x": "round", "y": "bias", "title": "Feedback loop: bias of the window by round"}})
            for job in jobs
            if job.rule == "fit_feedback_loop"
            for path in job.outputs["trajectory"]
        ],
        "artifacts": {
            f"{job.rule}-{job.name}".replace("_", "-"): _Line(
                path=job.outputs["weights"][0], type="model", desc=f"{job.rule} {job.name}"
            )
            for job in builds
        },
    }
    return {name: value for name, value in content.items() if value}


def _code(jobs: Sequence[Job], study: Study) -> dict[str, Any]:
    names = sorted({study.code_name(job.rule, job.wildcards) for job in jobs})
    return {
        "cmd": f"python -m edgebias code-hashes --folder {CODE_FOLDER} {' '.join(names)}",
        "deps": ["src/edgebias"],
        "outs": [f"{CODE_FOLDER}/{name}.sha256" for name in names],
    }


def _stages(jobs: Sequence[Job], study: Study, params: Mapping[str, Any]) -> dict[str, Any]:
    makers = {path: job for job in jobs for paths in job.outputs.values() for path in paths}
    together: dict[tuple[str, ...], list[Job]] = {}
    for job in jobs:
        together.setdefault((job.rule, *_shared(job).values()), []).append(job)
    grouped = [(group, _deps(group, makers, study)) for group in together.values()]
    needed = {path for _, deps in grouped for paths in deps.values() for path in paths}
    by_rule: dict[str, list[Stage]] = {}
    for group, deps in grouped:
        rule = group[0].rule
        keys = dict.fromkeys(key for job in group for key in study.keys_of(rule, job.wildcards) if _has(params, key))
        recorded = tuple(path for job in group for path in job.recorded)
        made = tuple(path for job in group for paths in job.outputs.values() for path in paths)
        folder = _folders(recorded, makers)  # DVC knows a folder by one hash, whoever names it has to name it whole
        outs = folder if needed.issuperset(folder) else recorded
        stage = Stage(rule, _shared(group[0]), recorded or made, deps, tuple(keys), outs)
        by_rule.setdefault(rule, []).append(stage)
    return dict(item for rule in sorted(by_rule) for item in _of_rule(rule, by_rule[rule]))


def _shared(job: Job) -> dict[str, str]:
    """Return the wildcards of ``job`` that the jobs of its stage share."""
    return {name: value for name, value in job.wildcards.items() if name != TOGETHER.get(job.rule)}


def _deps(group: Sequence[Job], makers: Mapping[str, Job], study: Study) -> dict[str, tuple[str, ...]]:
    deps: dict[str, tuple[str, ...]] = {}
    for job in group:
        needs = {name: _folders(paths, makers) for name, paths in job.inputs.items()}
        needs["code"] = (f"{CODE_FOLDER}/{study.code_name(job.rule, job.wildcards)}.sha256",)
        for name, paths in needs.items():
            deps[name] = tuple(dict.fromkeys((*deps.get(name, ()), *paths)))
    return deps


def _folders(paths: tuple[str, ...], makers: Mapping[str, Job]) -> tuple[str, ...]:
    """Return ``paths``, or their folder where one job writes them, nothing else, and it alone writes there."""
    parents = {Path(path).parent for path in paths}
    makes = {id(makers[path]) if path in makers else None for path in paths}
    if len(paths) < 2 or len(parents) > 1 or len(makes) > 1 or None in makes:
        return paths
    (folder,) = parents
    inside = {path for path in makers if Path(path).is_relative_to(folder)}
    whole = inside == set(paths) == set(makers[paths[0]].recorded)
    return (folder.as_posix(),) if whole else paths


def _of_rule(rule: str, stages: Sequence[Stage]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the definitions of a rule.

    One for stages that have the same kinds of inputs, named by those that not all have. A stage of several jobs has a
    definition of its own: how many they are differs from cell to cell.
    """
    everywhere = frozenset.intersection(*(stage.kinds for stage in stages))
    fewest = min(len(stage.params) for stage in stages)
    groups: dict[str, list[Stage]] = {}
    for stage in stages:
        own = ["settings"] if len(stage.params) > fewest else []
        groups.setdefault("-".join([rule, *sorted(stage.kinds - everywhere), *own]), []).append(stage)
    for name, group in groups.items():
        if len(group) > 1 and rule not in TOGETHER and len({stage.counts for stage in group}) == 1:
            yield name, _foreach(group)
        else:
            for stage in group:
                yield "-".join(filter(None, [rule, stage.name])), _plain(stage)


def _plain(stage: Stage) -> dict[str, Any]:
    content = {
        "cmd": _command(stage.rule, stage.targets),
        "deps": list(dict.fromkeys(path for paths in stage.deps.values() for path in paths)),
        "params": list(stage.params),
        "outs": [_out(path) for path in stage.outs],
    }
    return {name: value for name, value in content.items() if value}


def _command(rule: str, targets: Sequence[str]) -> str:
    return f"snakemake --cores all --allowed-rules {rule} -- {' '.join(targets)}"


def _out(path: str) -> Any:
    return _Line({path: {"cache": False}}) if path.endswith(IN_GIT) else path


def _foreach(group: Sequence[Stage]) -> dict[str, Any]:
    items = [_Line(stage.wildcards) for stage in group]
    targets = [
        _template(values, items, f"out{place or ''}", "/")
        for place, values in enumerate(zip(*(stage.targets for stage in group), strict=True))
    ]
    outs = [
        _template(values, items, f"folder{place or ''}", "/")
        for place, values in enumerate(zip(*(stage.outs for stage in group), strict=True))
    ]
    deps = [
        _template(values, items, f"{kind}{place or ''}", "/")
        for kind in group[0].deps
        for place, values in enumerate(zip(*(stage.deps[kind] for stage in group), strict=True))
    ]
    params = [
        _template(values, items, f"key{place}", ".")
        for place, values in enumerate(zip(*(stage.params for stage in group), strict=True))
    ]
    do = {"cmd": _command(group[0].rule, targets), "deps": deps, "params": params, "outs": outs}
    return {
        "foreach": {stage.name: item for stage, item in zip(group, items, strict=True)},
        "do": {name: value for name, value in do.items() if value},
    }


def _template(values: Sequence[str], items: Sequence[_Line], key: str, separator: str) -> str:
    """Return one text for the ``values`` of all items: parts in which they differ come from the items.

    Where no wildcard gives them, each item gets its value whole under ``key``.
    """
    parts = [value.split(separator) for value in values]
    if len({len(part) for part in parts}) == 1:
        found = [_part(column, items) for column in zip(*parts, strict=True)]
        if None not in found:
            return separator.join(filter(None, found))
    for item, value in zip(items, values, strict=True):
        item[key] = value
    return f"${{item.{key}}}"


def _part(column: Sequence[str], items: Sequence[_Line]) -> str | None:
    if len(set(column)) == 1:
        return column[0]
    for name, first in items[0].items():
        before, found, after = column[0].partition(str(first))
        if found and all(value == f"{before}{item[name]}{after}" for value, item in zip(column, items, strict=True)):
            return f"{before}${{item.{name}}}{after}"
    return None


def _has(params: Mapping[str, Any], key: str) -> bool:
    value: Any = params
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = value[part]
    return True


def render(jobs: Sequence[Job], study: Study, params: Mapping[str, Any]) -> str:
    """Return ``dvc.yaml`` as text."""
    text = yaml.dump(
        document(jobs, study, params), Dumper=_Dumper, sort_keys=False, width=1_000_000, allow_unicode=True
    )
    return HEADER + str(text)


def write_dvc(snakefile: Path, output: Path, *, check: bool) -> None:
    """Write ``dvc.yaml`` to ``output``; with ``check``, only compare what stands there.

    Raises:
        InputError: the file that is checked is not what would be written.
    """
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    text = render(jobs_of(snakefile), read_study(EDGE), params)
    if not check:
        write_text(text, output)
        return
    committed = output.read_text(encoding="utf-8") if output.exists() else ""
    if committed != text:
        raise InputError(f"{output} does not match the Snakefile and params.yaml; run `make dvc.yaml`")
    print(f"{output} matches the Snakefile", file=sys.stderr)
