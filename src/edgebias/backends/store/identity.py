"""What a journal belongs to: everything that can move a byte of an answer, as one hash."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from edgebias.core.code_hash import code_hash

VARIABLES = ("ATEN_", "DNNL_", "GGML_", "LLAMA_", "MKL_", "OMP_", "ONEDNN_")
"""Environment variables of these libraries can choose other instructions; how threads wait is none of that."""

SECRETS = ("_KEY", "_TOKEN", "_SECRET", "_PASSWORD")
"""Ends of names such as ``LLAMA_API_KEY``: what they hold decides no answer, and is kept nowhere, not as a hash."""

END_BYTES = 1 << 16


def job_identity(
    stage: str,
    settings: Mapping[str, Any],
    *,
    libraries: Sequence[str],
    files: Sequence[Path],
    weights: Path | None,
    entries: Sequence[str] = (),
    more: Sequence[str] = (),
) -> str:
    """Hash what decides the answers of a job (SHA-256, hexadecimal).

    Takes about a fifth of a second, most of it to parse the modules of the stage.

    Args:
        stage: the stage's module, whose code is hashed with all that it imports from this package.
        settings: of the stage.
        libraries: distributions that decide its numbers.
        files: small inputs, hashed whole.
        weights: file or folder. Size, time of change, and both ends of every file stand for its content, which would
            take seconds to read.
        entries: modules of the registry entries that the stage opens by name, whose code counts as well.
        more: further words that tell jobs of one stage apart.

    Raises:
        OSError: a file cannot be read.
    """
    content = {
        "stage": [stage, *more],
        "settings": settings,
        "files": [[path.name, hashlib.sha256(path.read_bytes()).hexdigest()] for path in files],
        "weights": [] if weights is None else [_outline(weights, path) for path in _files_of(weights)],
        "code": code_hash(stage, *entries),
        "libraries": {name: _library(name) for name in libraries},
        "variables": {
            name: value
            for name, value in os.environ.items()
            if name.startswith(VARIABLES) and name != "OMP_WAIT_POLICY" and not name.endswith(SECRETS)
        },
        "machine": [platform.machine(), platform.python_version(), _processor()],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _files_of(weights: Path) -> list[Path]:
    return [weights] if weights.is_file() else sorted(path for path in weights.rglob("*") if path.is_file())


def _outline(weights: Path, path: Path) -> list[Any]:
    status = path.stat()
    with path.open("rb") as file:
        ends = hashlib.sha256(file.read(END_BYTES))
        file.seek(max(0, status.st_size - END_BYTES))
        ends.update(file.read(END_BYTES))
    return [str(path.relative_to(weights.parent)), status.st_size, status.st_mtime_ns, ends.hexdigest()]


def _library(name: str) -> list[str] | None:
    """Return version, and the hashes that the installer recorded: they also tell two builds of one version apart."""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    return [found.version, hashlib.sha256((found.read_text("RECORD") or "").encode()).hexdigest()]


def _processor() -> str:
    """Return the model and instruction sets of the first processor, where the system tells them."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            lines = file.read(8192).split("\n\n")[0].splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part")))
