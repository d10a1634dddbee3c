"""The journal file: whatever a kill, a loss of power or a bad disk leaves of it, no wrong record comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.backends.store import journal as file
from edgebias.backends.store.journal import Journal
from edgebias.core.errors import InputError

texts = st.text(st.characters(codec=None, exclude_categories=()))  # lone surrogates, newlines and NUL, too
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts, lambda inner: st.lists(inner)
)
records = st.lists(st.tuples(st.sampled_from(["a", "b"]), values), max_size=6)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "table.parquet.journal"


@pytest.fixture(scope="module", autouse=True)
def no_waiting() -> Iterator[None]:
    """Nothing here cuts the power, so that waiting for the disk, some hundred times, would show nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "fdatasync"):
            patch.setattr(file.os, name, lambda descriptor: None)
        yield


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def write(path: Path, records: Sequence[tuple[str, Any]], identity: str = "one") -> bytes:
    path.unlink(missing_ok=True)
    with Journal(path, identity) as journal:
        for key, value in records:
            journal.keep(key, 0.25, value)
    return path.read_bytes()


def read(path: Path, identity: str = "one") -> dict[str, list[Any]]:
    with Journal(path, identity) as journal:
        return {key: list(journal.recall(key)) for key in ("a", "b")}


def by_key(records: Sequence[tuple[str, Any]]) -> dict[str, list[Any]]:
    return {key: [value for other, value in records if other == key] for key in ("a", "b")}


@settings(max_examples=40)
@given(records=records)
def test_what_was_kept_comes_back_as_it_was(folder: Path, records: list[tuple[str, Any]]) -> None:
    write(folder / "whole", records)
    found = read(folder / "whole")
    assert found == by_key(records)
    assert repr(found) == repr(by_key(records))  # -0.0 is no 0.0, True no 1


@settings(max_examples=60)
@given(records=records, data=st.data())
def test_a_file_that_ends_early_gives_the_records_before_and_takes_more(
    folder: Path, records: list[tuple[str, Any]], data: st.DataObject
) -> None:
    whole = write(folder / "cut", records)
    length = data.draw(st.integers(0, len(whole)))
    (folder / "cut").write_bytes(whole[:length])
    n_whole = max(0, whole[:length].count(b"\n") - 2)  # less the header and the start of the process
    assert read(folder / "cut") == by_key(records[:n_whole])
    with Journal(folder / "cut", "one") as journal:
        journal.keep("a", 0.25, "after the cut")
    assert read(folder / "cut") == by_key([*records[:n_whole], ("a", "after the cut")])


@settings(max_examples=100)
@given(records=records, data=st.data())
def test_a_changed_byte_never_gives_a_wrong_record(
    folder: Path, records: list[tuple[str, Any]], data: st.DataObject
) -> None:
    whole = bytearray(write(folder / "flipped", records))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    (folder / "flipped").write_bytes(whole)
    n_whole = max(0, bytes(whole[:place]).count(b"\n") - 2)
    assert read(folder / "flipped") == by_key(records[:n_whole])


@settings(max_examples=60)
@given(records=st.lists(st.tuples(st.just("a"), st.integers(0, 9)), min_size=3, max_size=6), data=st.data())
def test_lines_count_only_in_their_places(folder: Path, records: list[tuple[str, Any]], data: st.DataObject) -> None:
    lines = write(folder / "moved", records).splitlines(keepends=True)
    gone = data.draw(st.integers(2, len(lines) - 2))
    (folder / "moved").write_bytes(b"".join(lines[:gone] + lines[gone + 1 :]))
    assert read(folder / "moved") == by_key(records[: gone - 2])


def test_a_tail_of_zeros_is_cut_off(path: Path) -> None:
    whole = write(path, [("a", 1), ("a", 2)])
    path.write_bytes(whole + bytes(4096))
    assert read(path) == {"a": [1, 2], "b": []}


def test_another_identity_starts_afresh_and_says_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(path, [("a", 1)])
    assert capsys.readouterr().err == ""
    assert read(path, "two") == {"a": [], "b": []}
    assert "changed; the job starts afresh" in capsys.readouterr().err
    assert read(path, "one") == {"a": [], "b": []}  # the old answers are gone


def test_a_damaged_beginning_starts_afresh_and_says_so(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else\n")
    assert read(path) == {"a": [], "b": []}
    assert "is damaged; the job starts afresh" in capsys.readouterr().err


def test_seconds_counts_and_numbers_of_earlier_processes_add_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file, "SYNC_SECONDS", 0.0)
    monkeypatch.setattr(file, "LARGEST_SHARE", 1e9)
    for number in range(3):
        with Journal(path, "one") as journal:
            assert journal.interruptions == number
            assert journal.earlier_counts() == ([] if number == 0 else [10.0 * number, 1.0 * number])
            before, known = journal.clock(), list(journal.recall("a"))
            assert known == list(range(number))
            assert journal.recalled == 4 * number
            assert journal.clock() - before == pytest.approx(100.0 * number, abs=1.0)
            journal.counter = lambda: (10.0, 1.0)
            journal.keep("a", 100.0, number, count=4)


def test_a_second_process_is_refused_in_one_line(path: Path) -> None:
    program = "import sys; from pathlib import Path; from edgebias.backends.store.journal import Journal\n"
    program += "from edgebias.core.errors import run_stage\n"
    program += "run_stage(lambda argv: Journal(Path(argv[0]), 'one'), sys.argv[1:])"
    command = [sys.executable, "-c", program, str(path)]
    with Journal(path, "one") as journal:
        journal.keep("a", 0.0, 1)
        refused = subprocess.run(command, capture_output=True, text=True, check=False)
        assert refused.returncode == 2
        assert refused.stderr == f"error: {path}: another process is at this job; wait for it or end it\n"
        with pytest.raises(InputError, match="another process"):
            Journal(path, "two")
    assert subprocess.run(command, check=False).returncode == 0
    assert read(path)["a"] == [1]


def test_it_goes_when_the_output_is_there(path: Path) -> None:
    with Journal(path, "one") as journal:
        output = path.parent / "table.parquet"
        output.write_bytes(b"rows")
        journal.remove(output)
    assert [each.name for each in path.parent.iterdir()] == ["table.parquet"]


def test_values_that_are_no_json_are_refused(path: Path) -> None:
    with Journal(path, "one") as journal, pytest.raises(TypeError, match="object cannot be kept"):
        journal.keep("a", 0.0, object())


def test_a_record_is_one_readable_line(path: Path) -> None:
    line = write(path, [("a", "two\nlines")]).splitlines()[-1]
    checksum, key, body = line.split(b" ", 2)
    assert (len(checksum), key, json.loads(body)) == (8, b"a", [0.25, 1, "two\nlines"])
