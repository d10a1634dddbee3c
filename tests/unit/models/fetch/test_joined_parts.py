"""A model file in parts, joined by ``edgebias fetch-model``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError

pytestmark = pytest.mark.slow

main = command("fetch-model")

Wheel = Callable[..., Path]
WHEELS = {"package": "carrier-part{1..3}", "version": "1.0", "member": "carrier_part{1..3}/data/part{01..03}.bin"}


def fetch(source: dict[str, Any], output: Path) -> None:
    main(["--settings", json.dumps({"models.tiny": {"source": source}}), "--output", str(output)])


def refused(source: dict[str, Any], output: Path, match: str) -> None:
    """The command fails in one line that names the section, and writes no model."""
    with pytest.raises(InputError, match=match) as caught:
        fetch(source, output)
    assert "\n" not in str(caught.value).strip()
    assert "models.tiny.source" in str(caught.value)
    assert not output.exists()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "models" / "tiny.gguf"


@pytest.fixture
def content(gguf_file: Path) -> bytes:
    return gguf_file.read_bytes()


@pytest.fixture
def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def pieces(content: bytes) -> list[bytes]:
    """Three pieces of different length; the first ends within the header."""
    return [content[:100], content[100:1500], content[1500:]]


@pytest.fixture
def files(pieces: list[bytes], tmp_path: Path) -> dict[str, Any]:
    """The pieces as files, and the entry of a parameter file that names them."""
    for number, piece in enumerate(pieces, start=1):
        (tmp_path / f"p{number}").write_bytes(piece)
    return {"file": f"{tmp_path}/p{{1..3}}"}


def test_packages_are_joined_in_order(
    make_wheel: Wheel, pieces: list[bytes], content: bytes, sha: str, output: Path
) -> None:
    for number, piece in enumerate(pieces, start=1):
        make_wheel({f"carrier_part{number}/data/part{number:02d}.bin": piece}, f"carrier_part{number}")
    fetch({"parts": [WHEELS], "sha256": sha}, output)
    assert output.read_bytes() == content
    assert list(output.parent.iterdir()) == [output]


def test_numbers_are_counted_and_not_sorted_as_texts(content: bytes, sha: str, tmp_path: Path, output: Path) -> None:
    """Part 10 follows part 9, not part 1."""
    size = len(content) // 10
    for number in range(1, 12):
        (tmp_path / f"p{number}").write_bytes(content[(number - 1) * size : number * size if number < 11 else None])
    fetch({"parts": [{"file": f"{tmp_path}/p{{1..11}}"}], "sha256": sha}, output)
    assert output.read_bytes() == content


def test_leading_zeros_are_kept(pieces: list[bytes], content: bytes, sha: str, tmp_path: Path, output: Path) -> None:
    for number, piece in enumerate(pieces, start=9):
        (tmp_path / f"m.gguf.part{number:02d}").write_bytes(piece)
    fetch({"parts": [{"file": f"{tmp_path}/m.gguf.part{{09..11}}"}], "sha256": sha}, output)
    assert output.read_bytes() == content


def test_parts_of_several_kinds_and_names_are_listed(
    files: dict[str, Any], make_wheel: Wheel, pieces: list[bytes], content: bytes, sha: str, output: Path
) -> None:
    """A list without ranges, a wheel between two files."""
    make_wheel({"middle.bin": pieces[1]})
    head, tail = ({"file": files["file"].replace("{1..3}", number)} for number in "13")
    middle = {"package": "carrier", "version": "1.0", "member": "middle.bin"}
    fetch({"parts": [head, middle, tail], "sha256": sha}, output)
    assert output.read_bytes() == content


def test_after_a_package_that_cannot_be_had_the_next_run_goes_on(
    make_wheel: Wheel, pieces: list[bytes], content: bytes, sha: str, output: Path
) -> None:
    """What was joined is not fetched again: its package is gone from the index by then."""
    parts = [{"package": "carrier-part{1..2}", "version": "1.0", "member": "part.bin"}]
    first = make_wheel({"part.bin": pieces[0]}, "carrier_part1")
    refused({"parts": parts, "sha256": sha}, output, "pip cannot download carrier-part2==1.0 .* 1 part .* is kept")
    first.unlink()
    make_wheel({"part.bin": pieces[1] + pieces[2]}, "carrier_part2")
    fetch({"parts": parts, "sha256": sha}, output)
    assert output.read_bytes() == content
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize("damage", ["none", "longer", "shorter", "no note", "broken note", "other parts"])
def test_what_a_run_before_left_is_used_where_it_fits(
    damage: str, files: dict[str, Any], pieces: list[bytes], content: bytes, sha: str, tmp_path: Path, output: Path
) -> None:
    """A piece of a part that a killed run wrote is cut off; what does not fit the parts is joined anew."""
    (tmp_path / "p3").unlink()
    refused({"parts": [files], "sha256": sha}, output, "p3: no such file; .* 2 parts .* are kept")
    (growing,), (note,) = output.parent.glob(".*.joining"), output.parent.glob(".*.joining.json")
    parts = [files]
    match damage:
        case "longer":
            growing.write_bytes(growing.read_bytes() + pieces[2][:77])
        case "shorter":
            growing.write_bytes(content[:50])
        case "no note":
            note.unlink()
        case "broken note":
            note.write_text("{", encoding="utf-8")
        case "other parts":
            (tmp_path / "whole").write_bytes(content)
            parts = [{"file": f"{tmp_path}/whole"}]
    (tmp_path / "p3").write_bytes(pieces[2])
    fetch({"parts": parts, "sha256": sha}, output)
    assert output.read_bytes() == content
    assert list(output.parent.iterdir()) == [output]


def test_another_sha256_is_refused_and_nothing_is_left(files: dict[str, Any], output: Path) -> None:
    refused({"parts": [files], "sha256": "0" * 64}, output, "not the pinned 0000")
    assert list(output.parent.iterdir()) == []


def test_parts_in_another_order_are_refused(pieces: list[bytes], sha: str, tmp_path: Path, output: Path) -> None:
    for number, piece in enumerate(pieces):
        (tmp_path / f"p{number}").write_bytes(piece)
    parts = [{"file": f"{tmp_path}/p{number}"} for number in (1, 0, 2)]
    refused({"parts": parts, "sha256": sha}, output, "not the pinned")
    assert list(output.parent.iterdir()) == []


def test_joined_parts_that_are_no_model_are_refused(tmp_path: Path, output: Path) -> None:
    for number in range(2):
        (tmp_path / f"p{number}").write_bytes(b"<html>")
    sha = hashlib.sha256(b"<html>" * 2).hexdigest()
    refused({"parts": [{"file": f"{tmp_path}/p{{0..1}}"}], "sha256": sha}, output, "not a GGUF file")
    assert list(output.parent.iterdir()) == []


def test_a_missing_member_names_its_package(make_wheel: Wheel, sha: str, output: Path) -> None:
    make_wheel({"other.bin": b"x"}, "c1")
    parts = [{"package": "c{1..2}", "version": "1.0", "member": "part.bin"}]
    refused({"parts": parts, "sha256": sha}, output, "c1: the wheel has no file 'part.bin'")


def test_a_missing_file_is_named(tmp_path: Path, sha: str, output: Path) -> None:
    refused({"parts": [{"file": f"{tmp_path}/p{{0..1}}"}], "sha256": sha}, output, "p0: no such file")


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ([], "parts is .*; a list of at least 1"),
        ({"file": "x"}, "parts is .*; a list"),
        ([{}], r"parts\.0 is {}; give .*{package, version, member} or {file} or {hub, file, revision}"),
        ([{"package": "c{1..2}", "version": "1.0"}], r"parts\.0\.member is missing"),
        ([{"package": "c{1..2}", "member": "m"}], r"parts\.0\.version is missing"),
        ([{"hub": "o/r", "file": "m"}], r"parts\.0\.revision is missing"),
        ([{"package": "c{1..3}", "version": "1.0", "member": "m{1..2}"}], r"{1..3} counts 3 and {1..2} counts 2"),
        ([{"file": "m{3..1}"}], r"{3..1} is no range"),
        ([{"file": "m{1..999999}"}], r"{1..999999} is no range; .* at most 1000"),
        ([{"package": "c{1..x}", "version": "1.0", "member": "m"}], r"package is 'c{1..x}'; a name of .* {1..6}"),
        ([{"package": "c{1..2", "version": "1.0", "member": "m"}], "package is 'c{1..2'; a name of"),
        ([{"package": "--pre", "version": "1.0", "member": "m"}], "package is '--pre'; a name of"),
        ([{"package": "c", "version": ">1", "member": "m"}], "version is '>1'; one exact"),
        ([{"package": "c{1..2}", "version": "1.0", "member": "../m{1..2}"}], "leaves the archive"),
        ([{"file": "a"}, {"file": "a"}], "in the list twice"),
        ([{"file": "a", "sha": "0"}], r"unknown key 'sha' at .*parts\.0"),
        (["a", "b"], r"parts\.0 is 'a'; give"),
    ],
)
def test_wrong_parts_are_refused(parts: Any, match: str, output: Path) -> None:
    refused({"parts": parts, "sha256": "0" * 64}, output, match)
    assert not output.parent.exists()


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ({"parts": [{"file": "a"}]}, "sha256 is missing"),
        ({"parts": [{"file": "a"}], "sha256": "0"}, "sha256 is '0'; a SHA-256"),
        ({"parts": [{"file": "a"}], "sha256": "0" * 64, "member": "m"}, "unknown key 'member'"),
    ],
)
def test_wrong_keys_beside_parts_are_refused(source: dict[str, Any], match: str, output: Path) -> None:
    refused(source, output, match)


def test_a_hub_file_that_cannot_be_had_is_refused(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    parts = [{"hub": "edgebias-absent/none", "file": "m.gguf.part{1..2}", "revision": "0" * 40}]
    refused({"parts": parts, "sha256": "0" * 64}, output, "m.gguf.part1 at 0000.* cannot be had from the Hub")
