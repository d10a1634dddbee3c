"""Facts about this machine, this installation and the given files; nothing here changes a result."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError

PACKAGES = (
    "accelerate",
    "dvc",
    "edgebias",
    "evaluate",
    "gguf",
    "llama-cpp-python",
    "matplotlib",
    "numpy",
    "openai",
    "pandas",
    "pyarrow",
    "scipy",
    "snakemake",
    "statsmodels",
    "torch",
    "transformers",
)
_CHUNK = 1 << 20


def collect(files: Sequence[Path], root: Path) -> dict[str, Any]:
    """Return everything that the report prints under Provenance.

    Args:
        files: parameters and weights, whose SHA-256 and size in bytes are recorded.
        root: the working tree whose commit is recorded.

    Raises:
        InputError: a file is absent.
    """
    return {
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in PACKAGES},
        "llama_cpp": llama_system(),
        "machine": machine(),
        "git": git_state(root),
        "files": {path.as_posix(): file_facts(path) for path in sorted(files)},
    }


def package_version(name: str) -> str | None:
    """Return the installed version, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def llama_system() -> str | None:
    """Return the instruction sets that llama.cpp was built with, in its own words; None where it is not installed."""
    try:
        import llama_cpp
    except ImportError:
        return None
    text: str = llama_cpp.llama_print_system_info().decode()
    return text.strip(" |")


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, Any]:
    """Return processor, cores that this process may use, memory in MB, operating system."""
    return {
        "processor": _processor(cpuinfo),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mb": _memory_mb(),
        "system": f"{platform.system()} {platform.release()}",
    }


def _processor(cpuinfo: Path) -> str:
    """Return the model's name; ARM kernels give none, so the architecture stands in."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for key in ("model name", "Model", "Hardware"):
        for line in lines:
            name, _, value = line.partition(":")
            if name.strip() == key and value.strip():
                return value.strip()
    return platform.processor() or platform.machine()


def _memory_mb() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (ValueError, OSError):
        return None


def git_state(root: Path) -> dict[str, Any] | None:
    """Return commit and whether tracked files were changed; None outside a git working tree or without git."""
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit.strip(), "dirty": None if changed is None else bool(changed.strip())}


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def file_facts(path: Path) -> dict[str, Any]:
    """Return the SHA-256 and size in bytes."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; run the stage that makes it") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: a folder; name its files instead") from error
    return {"sha256": digest.hexdigest(), "bytes": path.stat().st_size}
