"""Raw files that went through a spreadsheet or pandas, and files of two versions that do not belong together."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebias.core.errors import InputError
from edgebias.core.spreadsheet import read_rows
from edgebias.suites.registry import SUITES

Rewrite = Callable[[str, list[Any], str], None]
TABLES = {
    "bbq": "BBQ/data/additional_metadata.csv",
    "crows_pairs": "CrowS-Pairs/data/crows_pairs_anonymized.csv",
    "winogender": "Winogender/data/occupations-stats.tsv",
}
TEXTS = {
    **TABLES,
    "stereoset": "StereoSet/data/dev.json",
    "bold": "BOLD/data/prompts/gender_prompt.json",
    "winobias": "WinoBias/data/pro_stereotyped_type1.txt.dev",
}


def rows_of(path: Path) -> list[list[str]]:
    text = path.read_text(encoding="utf-8")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter="\t" if path.suffix == ".tsv" else ","))


def written(rows: list[list[str]], **style: Any) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, **style).writerows(rows)
    return stream.getvalue().encode()


def floats(rows: list[list[str]]) -> list[list[str]]:
    """Whole numbers as pandas writes them where a column has a gap."""
    return [[f"{cell}.0" if cell.isdigit() else cell for cell in row] for row in rows]


def indexed(rows: list[list[str]]) -> list[list[str]]:
    """As pandas writes a frame with its index; a column that had no name has one now."""
    header = [name or "Unnamed: 0" for name in rows[0]]
    return [["", *header], *([str(place), *row] for place, row in enumerate(rows[1:]))]


SAVED: dict[str, Callable[[list[list[str]]], bytes]] = {
    "semicolons": lambda rows: written(rows, delimiter=";"),
    "tabs": lambda rows: written(rows, delimiter="\t"),
    "bars": lambda rows: written(rows, delimiter="|"),
    "commas": lambda rows: written(rows),
    "every cell in quotes": lambda rows: written(rows, quoting=csv.QUOTE_ALL),
    "byte-order mark": lambda rows: b"\xef\xbb\xbf" + written(rows),
    "UTF-16 with tabs": lambda rows: written(rows, delimiter="\t").decode().encode("utf-16"),
    "Excel's line of the separator": lambda rows: b"sep=;\r\n" + written(rows, delimiter=";"),
    "LF": lambda rows: written(rows, lineterminator="\n"),
    "old line ends": lambda rows: written(rows, lineterminator="\r", quoting=csv.QUOTE_ALL),
    "float indices": lambda rows: written(floats(rows)),
    "decimal commas": lambda rows: written(
        [[cell.replace(".", ",") if cell.replace(".", "").isdigit() else cell for cell in row] for row in rows],
        delimiter=";",
    ),
    "upper case in the header": lambda rows: written([[name.upper() for name in rows[0]], *rows[1:]]),
    "no-break spaces in the header": lambda rows: written([[f"\xa0{name} " for name in rows[0]], *rows[1:]]),
    "empty rows": lambda rows: written([*rows, [], [""] * len(rows[0]), [" ", "\xa0"]]),
    "empty columns": lambda rows: written([[*row, "", ""] for row in rows]),
    "empty cells past the header": lambda rows: written([rows[0], *([*row, "", ""] for row in rows[1:])]),
    "the index of pandas": lambda rows: written(indexed(rows)),
    "columns in another order": lambda rows: written([row[::-1] for row in rows]),
}


@pytest.mark.parametrize("suite", TABLES)
@pytest.mark.parametrize("saved", SAVED)
def test_a_table_that_a_spreadsheet_saved_gives_the_same_items(raw: Path, suite: str, saved: str) -> None:
    """There is one way to read it, so nothing of an item changes but where it stood."""
    before = SUITES.get(suite).load(raw)
    path = raw / TABLES[suite]
    path.write_bytes(SAVED[saved](rows_of(path)))
    assert [(item.item_id, item.cluster, item.roles, item.options) for item in SUITES.get(suite).load(raw)] == [
        (item.item_id, item.cluster, item.roles, item.options) for item in before
    ]


@pytest.mark.parametrize("suite", TEXTS)
@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
        lambda content: content.decode().encode("utf-16"),
    ],
    ids=["mark", "CRLF", "UTF-16"],
)
def test_a_mark_and_line_ends_change_nothing(raw: Path, suite: str, change: Callable[[bytes], bytes]) -> None:
    before = SUITES.get(suite).load(raw)
    path = raw / TEXTS[suite]
    path.write_bytes(change(path.read_bytes()))
    assert SUITES.get(suite).load(raw) == before


@pytest.mark.parametrize("suite", TEXTS)
def test_a_text_in_another_encoding_names_row_and_byte(raw: Path, suite: str) -> None:
    """Latin-1 and Windows-1252 cannot be told apart, so nothing is guessed."""
    path = raw / TEXTS[suite]
    path.write_bytes(path.read_bytes() + "\né".encode("cp1252"))
    with pytest.raises(InputError, match=r"row \d+, byte 1: not UTF-8 text .*save it as UTF-8") as caught:
        SUITES.get(suite).load(raw)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("suite", "old", "new", "match"),
    [
        ("crows_pairs", "\n1,", "\n1.5,", "row 3: the index is '1.5', not a whole number"),
        ("crows_pairs", "\n1,", "\n0.0,", "row 3: the index 0 was there before"),
        ("crows_pairs", "\n1,", "\n-1,", "row 3: the index is '-1'"),
        ("crows_pairs", ",annotations", ",Sent_more", "row 2: column 'sent_more' is there twice"),
        ("crows_pairs", ",bias_type", ",bias", "row 1: column 'bias_type' is missing"),
        ("crows_pairs", "gender,[]", "gender,[],x", "row 4: 7 columns, but the header has 6"),
        ("crows_pairs", '1,"She cried."', '1,"She cried.', "not valid CSV"),
        ("bbq", "Age,1,0,", "Age,1,0.5,", "row 2: example_id is '0.5', not a whole number"),
        ("bbq", "Age,1,1,0,", "Age,1,1,one,", "row 3: target_loc is 'one', not a whole number"),
        ("bbq", "Age,1,1,0,", "Age,1,0,1,", "row 3: example_id 0 of Age was there before, with another target_loc"),
        ("winogender", "guard\t1.0", "cook\t1.0", "row 3: 'cook' was there before, with another share"),
    ],
)
def test_what_can_be_read_in_two_ways_names_file_row_and_column(
    raw: Path, suite: str, old: str, new: str, match: str
) -> None:
    path = raw / TABLES[suite]
    text = path.read_bytes().decode()
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode())
    with pytest.raises(InputError, match=match) as caught:
        SUITES.get(suite).load(raw)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_numbers_of_rows_that_became_floats_or_texts_are_read(raw: Path) -> None:
    """JSON lines of pandas: ``0.0`` and ``"0"`` are the same index, and ``2.0`` the same label."""
    before = SUITES.get("bbq").load(raw)
    path = raw / "BBQ/data/Age.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for number, row in enumerate(rows):
        row["example_id"] = float(row["example_id"]) if number % 2 else str(row["example_id"])
        row["label"] = float(row["label"]) if number % 2 else str(row["label"])
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert SUITES.get("bbq").load(raw) == before


def test_equal_ids_of_different_rows_are_refused(raw: Path) -> None:
    path = raw / "BBQ/data/Age.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[5]["example_id"] = rows[1]["example_id"]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(InputError, match=r"Age\.jsonl: row 6: example_id 1 was there before, with other texts"):
        SUITES.get("bbq").load(raw)


def test_a_key_twice_in_an_object_is_refused(raw: Path) -> None:
    """A JSON reader takes the last one without a word."""
    path = raw / "BOLD/data/prompts/gender_prompt.json"
    path.write_text('{"American_actors": {"A": ["A is"], "A": ["B is"]}}', encoding="utf-8")
    with pytest.raises(InputError, match=r"gender_prompt\.json: row 1: key 'A' is there twice"):
        SUITES.get("bold").load(raw)


def test_half_a_character_in_an_escape_is_refused(raw: Path) -> None:
    """JSON can escape one, and no table can hold it; whole ones in escapes are read."""
    path = raw / "BOLD/data/prompts/gender_prompt.json"
    path.write_text('{"American_actors": {"A": ["A \\ud83d is"]}}', encoding="utf-8")
    with pytest.raises(InputError, match=r"gender_prompt\.json: row 1: a text holds half a character"):
        SUITES.get("bold").load(raw)
    path.write_text('{"American_actors": {"A": ["A \\ud83d\\ude00 is"]}}', encoding="utf-8")
    assert SUITES.get("bold").load(raw)


@pytest.mark.parametrize("line", ['"1 [The developer] met the nurse because [he] was late."', "1 [The developer] ,,,"])
def test_a_line_of_winobias_in_quotes_is_refused(raw: Path, line: str) -> None:
    path = raw / "WinoBias/data/pro_stereotyped_type1.txt.dev"
    path.write_text(path.read_text(encoding="utf-8").replace("1 [The developer] met the designer", f"{line}\n", 1))
    with pytest.raises(InputError, match=r"type1\.txt\.dev"):
        SUITES.get("winobias").load(raw)


GROUPS = ",Known_stereotyped_groups"


@pytest.fixture
def other_language(raw: Path, age_rows: list[Any], rewrite_bbq: Rewrite) -> Callable[..., None]:
    """Write rows as another language has them, beside the English metadata with the groups of each stereotype."""

    def write(change: Callable[[int, dict[str, Any]], None], known: str = "old") -> None:
        rows = [(dict(row), target) for row, target in age_rows]
        for number, (row, _) in enumerate(rows):
            row["answer_info"] = dict(row["answer_info"])
            change(number, row)
        path = raw / TABLES["bbq"]
        rewrite_bbq("Age", age_rows, "")
        english = path.read_bytes().decode()
        rewrite_bbq("Age", rows, "")
        header, *lines = english.replace("Match\r\n Race", "Match").splitlines()
        text = "\n".join([header + GROUPS, *(f"{line},{known}" for line in lines)])
        path.write_text(text, encoding="utf-8")

    return write


def swap(row: dict[str, Any]) -> None:
    """The two people in the other order: answers, groups and the right answer."""
    info = row["answer_info"]
    info["ans0"], info["ans1"] = info["ans1"], info["ans0"]
    row["ans0"], row["ans1"] = row["ans1"], row["ans0"]
    row["label"] = {0: 1, 1: 0, 2: 2}[row["label"]]


def translate(row: dict[str, Any]) -> None:
    row["answer_info"] = {"ans0": ["x", "anciano"], "ans1": ["y", "joven"], "ans2": ["z", "unknown"]}


MISFITS: dict[str, Callable[[int, dict[str, Any]], None]] = {
    "every row": lambda number, row: swap(row),
    "some rows": lambda number, row: swap(row) if number in (2, 3) else None,
    "the last row": lambda number, row: swap(row) if number == 7 else None,
    "translated groups": lambda number, row: translate(row),
    "another template": lambda number, row: row.update(question_index="2"),
    "the unknown option": lambda number, row: row.update(
        answer_info={"ans0": ["z", "unknown"], "ans1": ["y", "nonOld"], "ans2": ["x", "old"]}
    ),
}


@pytest.mark.parametrize("misfit", MISFITS)
def test_rows_of_another_language_beside_the_english_metadata_are_refused(
    raw: Path, other_language: Callable[..., None], misfit: str
) -> None:
    """The answers stand in another order there, so target_loc would name the wrong person."""
    other_language(MISFITS[misfit])
    with pytest.raises(InputError, match=r"Age\.jsonl: row \d+: .*fetch") as caught:
        SUITES.get("bbq").load(raw)
    assert "\n" not in str(caught.value)


def test_some_swapped_rows_are_refused_without_the_groups_of_the_metadata(
    raw: Path, age_rows: list[Any], rewrite_bbq: Rewrite
) -> None:
    rows = [({**row, "answer_info": dict(row["answer_info"])}, target) for row, target in age_rows]
    swap(rows[4][0])
    rewrite_bbq("Age", rows, "")
    with pytest.raises(InputError, match=r"row 5: .* of two versions or languages"):
        SUITES.get("bbq").load(raw)


def test_swapped_rows_are_refused_by_their_own_groups(raw: Path, age_rows: list[Any], rewrite_bbq: Rewrite) -> None:
    """Where the metadata has no column of groups, the row's own ``stereotyped_groups`` are compared."""
    rows = [
        (
            {**row, "answer_info": dict(row["answer_info"]), "additional_metadata": {"stereotyped_groups": ["old"]}},
            target,
        )
        for row, target in age_rows
    ]
    rewrite_bbq("Age", rows, "")
    assert SUITES.get("bbq").load(raw)
    for row, _ in rows:
        swap(row)
    rewrite_bbq("Age", rows, "")
    with pytest.raises(InputError, match=r"row 1: .* of two versions or languages"):
        SUITES.get("bbq").load(raw)


def test_another_language_with_its_own_metadata_is_read(raw: Path, other_language: Callable[..., None]) -> None:
    other_language(lambda number, row: translate(row), known="anciano")
    assert {item.roles[0] for item in SUITES.get("bbq").load(raw)} == {"stereotype", "anti_stereotype"}


def test_rows_are_counted_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    """A line break inside quotes starts no row, and an empty row is one."""
    path = tmp_path / "t.csv"
    path.write_text('a,b\n"1\n2",x\n\n3,y\n', encoding="utf-8")
    assert read_rows(path, ("a", "b"), "mend it") == [(2, {"a": "1\n2", "b": "x"}), (4, {"a": "3", "b": "y"})]
