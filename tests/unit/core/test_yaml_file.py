"""YAML files of a user's: what is no plain value is one line that names the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebias.core.errors import InputError
from edgebias.core.yaml_file import read_yaml

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(12)
)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: 1\nb: 2\na: 3\n", "line 3, column 1: the key 'a' is there twice"),
        (b"x: {a: {b: 1, b: 2}}\n", "line 1, column 15: the key 'b' is there twice"),
        (b"a:\n\tb: 1\n", "line 2, column 1: found character '\\t'"),
        ("a: é\n".encode("latin-1"), "row 1, byte 4: not UTF-8 text"),
        ("a: 1\n".encode("utf-16")[2:], "a zero byte"),
        (bytes(range(256)), "not UTF-8 text"),
        (b"a: 2024-01-01\n", "a: '2024-01-01' was read as a date; put it in quotes"),
        (b"a: 2024-13-45\n", "month must be in 1..12"),
        (b"2024-01-01: a\n", "a key: '2024-01-01' was read as a date"),
        (b"a: {b: [1, .nan]}\n", "a.b.1: nan is no finite number"),
        (b"a: -.inf\n", "a: -inf is no finite number"),
        (b"a: " + b"9" * 5000, "Exceeds the limit"),
        (b"a: !!python/name:os.system x\n", "could not determine a constructor"),
        (b"a: !mine x\n", "could not determine a constructor"),
        (b"a: !!bool x\n", "a value is not what its tag or form says"),
        (b"a: !!timestamp x\n", "a value is not what its tag or form says"),
        (b"a: !!set {x, y}\n", "was read as a set"),
        (b"a: !!binary aGk=\n", "was read as a bytes"),
        (b'a: "\\ud800"\n', "has a character that no text has"),
        (b'a: "x\\0y"\n', "has a character that no text has"),
        (b"a: &a [*a]\n", "more than 40 levels deep"),
        (b"a: &a {b: *a}\n", "more than 40 levels deep"),
        (b"[" * 300 + b"]" * 300, "more than 40 levels deep"),
        (BOMB.encode(), "unfolds to more than 200000 values"),
        (b"a: *b\n", "found undefined alias 'b'"),
        (b"a: 1\n---\nb: 2\n", "found another document"),
        (b"%YAML 9.9\n---\na: 1\n", "found incompatible YAML document"),
        (b"? [a]\n: 1\n", "found unhashable key"),
        (b"y: {<<: 3}\n", "expected a mapping or list of mappings for merging"),
    ],
)
def test_what_is_no_plain_value_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", ["nothing.yaml", ".", "p.yaml/x"])
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, path: str) -> None:
    (tmp_path / "p.yaml").write_text("a: 1\n")
    with pytest.raises(InputError, match="cannot be read as YAML"):
        read_yaml(tmp_path / path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_with_a_mark_and_all_line_ends_are_read(tmp_path: Path, encoding: str, line_end: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes("a: ü\nb: &b {c: 1}\nd: {<<: *b, c: 2}\n".replace("\n", line_end).encode(encoding))
    assert read_yaml(path) == {"a": "ü", "b": {"c": 1}, "d": {"c": 2}}
