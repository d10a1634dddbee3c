"""The journal file: whatever a kill, a loss of power or a bad disk leaves of it, no wrong record comes back."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.backends.store import journal as file
from edgebias.backends.store.journal import Journal
from edgebias.core.errors import InputError

texts = st.text(st.characters(codec=None, exclude_categories=()))  # lone surrogates, newlines and NUL, too
values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | texts, lambda inner: st.lists(inner))
records = st.lists(st.tuples(st.sampled_from(["a", "b"]), values), max_size=6)

WRITE_VERSION = 18
"""The byte of an SQLite file that says which version may write it (https://sqlite.org/fileformat.html, section 1.3)."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "table.parquet.journal"


@pytest.fixture(scope="module", autouse=True)
def no_waiting() -> Iterator[None]:
    """Nothing here cuts the power, so that waiting for the disk, some hundred times, would show nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(file, "SYNC_SECONDS", 1e9)
        yield


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: the disk is waited for at each opening."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def write(path: Path, records: Sequence[tuple[str, Any]], identity: str = "one") -> bytes:
    delete(path)
    with Journal(path, identity) as journal:
        for key, value in records:
            journal.keep(key, 0.25, value)
    return path.read_bytes()


def kill(path: Path, records: Sequence[tuple[str, Any]]) -> tuple[bytes, list[int]]:
    """Leave what a process that is killed after its last record leaves.

    Return what it appended, and how long that was after each record.
    """
    other, log = path.with_name("living"), Path(f"{path}-wal")
    delete(other)
    delete(path)
    lengths = []
    with Journal(other, "one") as journal:
        for key, value in records:
            lengths.append(Path(f"{other}-wal").stat().st_size)
            journal.keep(key, 0.25, value)
        lengths.append(Path(f"{other}-wal").stat().st_size)
        shutil.copy(other, path)
        shutil.copy(f"{other}-wal", log)
    return log.read_bytes(), lengths


def delete(path: Path) -> None:
    for suffix in ("", "-wal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def read(path: Path, identity: str = "one") -> dict[str, list[Any]]:
    with Journal(path, identity) as journal:
        return {key: list(journal.recall(key)) for key in ("a", "b")}


def by_key(records: Sequence[tuple[str, Any]]) -> dict[str, list[Any]]:
    return {key: [value for other, value in records if other == key] for key in ("a", "b")}


@settings(max_examples=25)
@given(records=records)
def test_what_was_kept_comes_back_as_it_was(folder: Path, records: list[tuple[str, Any]]) -> None:
    write(folder / "whole", records)
    found = read(folder / "whole")
    assert repr(found) == repr(by_key(records))  # -0.0 is no 0.0, True no 1, NaN is NaN


@settings(max_examples=30)
@given(records=records, zeros=st.booleans(), data=st.data())
def test_a_log_that_ends_early_gives_the_records_before_and_takes_more(
    folder: Path, records: list[tuple[str, Any]], zeros: bool, data: st.DataObject
) -> None:
    """After a loss of power the end may be missing, or be zeros."""
    whole, lengths = kill(folder / "cut", records)
    length = data.draw(st.integers(lengths[0], len(whole)))
    left = whole[:length] + bytes(zeros * (len(whole) - length))
    Path(f"{folder / 'cut'}-wal").write_bytes(left)
    n_whole = sum(left[:end] == whole[:end] for end in lengths) - 1  # what was zero before is as it was
    before = by_key(records[:n_whole])
    assert repr(read(folder / "cut")) == repr(before)  # NaN is NaN
    with Journal(folder / "cut", "one") as journal:
        journal.keep("a", 0.25, "after the cut")
    assert repr(read(folder / "cut")) == repr(by_key([*records[:n_whole], ("a", "after the cut")]))


@pytest.mark.slow
@settings(max_examples=40)
@given(records=records, data=st.data())
def test_a_changed_byte_never_gives_a_wrong_record(
    folder: Path, records: list[tuple[str, Any]], data: st.DataObject
) -> None:
    whole = bytearray(write(folder / "flipped", records))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    (folder / "flipped").write_bytes(whole)
    if place == WRITE_VERSION and whole[place] > 2:  # such a file is read and never written, and nothing else is told
        with pytest.raises(InputError, match="attempt to write a readonly database"):
            read(folder / "flipped")
        return
    for key, found in read(folder / "flipped").items():
        assert repr(found) == repr(by_key(records)[key][: len(found)])


@settings(max_examples=20)
@given(n_records=st.integers(3, 6), data=st.data())
def test_records_count_only_in_their_places(folder: Path, n_records: int, data: st.DataObject) -> None:
    write(folder / "moved", [("a", number) for number in range(n_records)])
    gone, moved = data.draw(st.permutations(range(n_records)))[:2]
    names = f"a {gone:09}", f"a {moved:09}"
    with closing(sqlite3.connect(folder / "moved")) as database, database:
        database.execute("DELETE FROM answers WHERE key = ?", names[:1])
        database.execute("UPDATE answers SET key = ? WHERE key = ?", names)
    assert read(folder / "moved") == {"a": list(range(min(gone, moved))), "b": []}


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


def test_any_program_that_reads_sqlite_reads_it(path: Path) -> None:
    write(path, [("a", "two\nlines")])
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT response FROM answers WHERE key LIKE 'a %'").fetchall()
    assert [json.loads(text) for (text,) in rows] == [[0.25, 1, "two\nlines"]]


def test_a_killed_process_loses_nothing_that_it_had_kept(path: Path) -> None:
    program = "import itertools, sys; from pathlib import Path\n"
    program += "from edgebias.backends.store.journal import Journal\n"
    program += "journal = Journal(Path(sys.argv[1]), 'one')\n"
    program += "for number in itertools.count(sum(1 for _ in journal.recall('a'))):\n"
    program += "    journal.keep('a', 0.0, number)\n"
    program += "    print(number, flush=True)\n"
    kept = []
    for kill in range(4):
        command = [sys.executable, "-c", program, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            kept += [int(process.stdout.readline()) for _ in range(50 + 37 * kill)]
            process.kill()
            kept += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    found = read(path)["a"]
    assert found == list(range(len(found)))
    assert max(kept) < len(found) <= max(kept) + 2
