"""Files appear whole or not at all, with the same bytes for the same rows, and full disks are one plain line."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.core.errors import InputError, run_stage
from edgebias.core.files import atomic, read_json, read_table, write_csv, write_json, write_parquet, write_text
from edgebias.core.settings import parse_settings

TABLE = pd.DataFrame({"key": [f"{number:06d}" for number in range(40000)], "value": np.arange(40000) / 7})


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def writers() -> list[Callable[[Path], None]]:
    return [
        lambda folder: write_csv(TABLE, folder / "table.csv", ["key"]),
        lambda folder: write_parquet(TABLE, folder / "table.parquet", ["key"]),
        lambda folder: write_text("x" * 200_000, folder / "text.txt"),
    ]


LIMITS = {
    "the size of a file": ("FSIZE", 4096, "write('x' * 2**16)", "File too large; raise the limit of a file's size"),
    "open files": ("NOFILE", 6, "[open('/dev/null') for _ in range(9)]", "Too many open files: raise the limit"),
    "memory": ("AS", 2**30, "write('x' * 2**31)", "out of memory"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_of_the_system_is_one_plain_line_and_leaves_nothing(tmp_path: Path, limit: str) -> None:
    """Status 2, what has to be raised, and no half-written file."""
    name, most, body, words = LIMITS[limit]
    code = f"""
import resource
from functools import partial
from pathlib import Path
from edgebias.core.errors import run_stage
from edgebias.core.files import write_text

write = partial(write_text, path=Path("out/text.txt"))

def main(argv):
    resource.setrlimit(resource.RLIMIT_{name}, ({most}, {most}))
    kept = {body}

run_stage(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_matrix_that_was_written_in_part_is_one_plain_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What numpy raises of a full disk has neither a number nor a name."""

    def main(_argv: object) -> None:
        with atomic(tmp_path / "matrix.bin") as temporary:
            temporary.write_bytes(b"a")
            raise OSError("8192 requested and 2672 written")

    with pytest.raises(SystemExit) as ended:
        run_stage(main, [])
    assert ended.value.code == 2
    assert "a file was not written whole; free space" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("writer", writers(), ids=["csv", "parquet", "text"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    small_disk: Path, writer: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        run_stage(lambda argv: writer(small_disk))
    assert caught.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "No space left" in message
    assert list(small_disk.iterdir()) == []


def test_a_read_only_folder_is_one_line(small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SystemExit) as caught:
        run_stage(lambda argv: write_text("x", small_disk / "text.txt"))
    assert caught.value.code == 2
    assert "Read-only file system" in capsys.readouterr().err


def test_a_failure_keeps_the_finished_file(tmp_path: Path) -> None:
    path = tmp_path / "finished.txt"
    write_text("finished\n", path)

    def write_half() -> None:
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("half")

    with pytest.raises(RuntimeError, match="half"):
        write_half()
    assert path.read_text() == "finished\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_run_left_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / ".text.txt.99999.part").write_text("half")
    write_text("whole\n", tmp_path / "text.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@given(st.permutations(range(8)))
def test_the_order_of_arrival_changes_no_byte(tmp_path_factory: pytest.TempPathFactory, order: list[int]) -> None:
    folder = tmp_path_factory.mktemp("order")
    table = pd.DataFrame({"key": range(8), "value": [0.1, np.nan, 1 / 3, 4.0, 5.0, 6.0, 7.0, 8.0]})
    for name, rows in (("a", table), ("b", table.iloc[order])):
        write_csv(rows, folder / f"{name}.csv", ["key"])
        write_parquet(rows, folder / f"{name}.parquet", ["key"])
    assert (folder / "a.csv").read_bytes() == (folder / "b.csv").read_bytes()
    assert (folder / "a.parquet").read_bytes() == (folder / "b.parquet").read_bytes()
    assert "NaN" in (folder / "a.csv").read_text()


def test_json_has_sorted_keys_and_no_nan(tmp_path: Path) -> None:
    write_json({"b": np.float64("nan"), "a": [np.int64(1), 1 / 3]}, tmp_path / "value.json")
    assert read_json(tmp_path / "value.json") == {"a": [1, 0.333333], "b": None}


def test_a_missing_column_names_the_file_and_the_column(tmp_path: Path) -> None:
    write_csv(pd.DataFrame({"a": [1]}), tmp_path / "t.csv", ["a"])
    with pytest.raises(InputError, match=r"t\.csv: column 'b' is missing"):
        read_table(tmp_path / "t.csv", ["a", "b"])


def test_a_truncated_table_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_parquet(pd.DataFrame({"a": range(1000)}), path, ["a"])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"t\.parquet: cannot be read"):
        read_table(path, ["a"])


def test_settings_come_inline_or_from_a_key_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("score: {resamples: 5}\n")
    assert parse_settings('{"resamples": 5}') == parse_settings(f"{path}#score") == {"resamples": 5}
    with pytest.raises(InputError, match="no key 'scroe'"):
        parse_settings(f"{path}#scroe")
    with pytest.raises(InputError, match="not valid JSON"):
        parse_settings("{broken")
