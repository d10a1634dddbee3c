"""Parameter files that are broken in any way: one line, no traceback, through the door that users take."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from edgebias.cli import main
from edgebias.config import load
from edgebias.core.errors import InputError
from edgebias.study import read_study

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
PARAMS: dict[str, Any] = yaml.safe_load(TEXT)

ODD = st.sampled_from(
    [
        *(None, True, False, 0, -1, 1, 2**63, 10**400, -(10**30), 0.5, -0.0, 1e308, float("nan"), float("inf")),
        *("", " ", "x", "yes", "no", "on", "0777", "1e3", "../..", "/", "a/b", "a b", "ß", "{x}", "$HOME", "%s", "'"),
        *("\u2028", "\x00", "\x7f", "\ufeff", "full", "edge", "none", "*", "?", "a" * 3000, "~", "null", ".", "os"),
        *([], {}, [[]], [None], {"": ""}, {"a": {"b": {}}}, [1, 1], {1: 2}, {None: 1}, {True: 1}, {1.5: 1}),
    ]
)
RAW = st.sampled_from(
    [
        *(b"", b"\n", b"---\n", b"null", b"[]", b"- a\n", b"a", b"1", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00" * 20),
        *(bytes(range(256)), b"\tseed: 1\n", b"seed: 1\nseed: 2\n", b"seed: 010\n", b"seed: 1:30\n", b"seed: 0x10\n"),
        *(b"seed: 2024-01-01\n", b"seed: 2024-13-45\n", b"seed: 1_000\n", b"seed: 1e3\n", b"seed: .inf\n"),
        *(b"seed: " + b"9" * 5000, b"seed: !!int x\n", b"seed: !!python/name:os.system x\n", b"seed: !x y\n"),
        *(b"plugins: [os, '', '.', a.b, 'x\\0']\n", b"plugins: [nothing.at.all]\n", b"plugins: {a: b}\n"),
        *(b"a: &a [*a]\n", b"study: &s {title: *s}\n", b"[" * 2000, b"a: {b: " * 300, b"a: *b\n", b"<<: 3\n"),
        *(
            b"%YAML 9.9\n---\na: 1\n",
            b"a: 1\n---\nb: 2\n",
            b"? [a]\n: 1\n",
            b"a: !!set {b, c}\n",
            b"a: !!binary aGk=\n",
        ),
        *(
            b'title: "\\ud800"\n',
            b"a: 'b\n",
            b"a: |\n b\nc\n",
            b"<html></html>",
            b'{"seed": 1}',
            b"GGUF\x03\x00\x00\x00",
        ),
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(12)),
    ]
)


def places(value: Any, keys: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a nested value."""
    found = [keys] if keys else []
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        found += places(entry, (*keys, key))
    return found


PLACES = places(PARAMS)


def changed(keys: tuple[Any, ...], how: str, value: Any) -> bytes:
    """The default parameters with another value, key, or nothing at one place."""
    config: Any = yaml.safe_load(TEXT)
    inner = config
    for key in keys[:-1]:
        inner = inner[key]
    match how:
        case "value":
            inner[keys[-1]] = value
        case "key" if isinstance(inner, dict):
            try:
                inner[value] = inner.pop(keys[-1])
            except TypeError:  # a key that no mapping can have
                inner[str(value)] = 1
        case "item" if isinstance(inner, list):
            inner.insert(0, value)
        case "copy" if isinstance(inner, list):
            inner.append(inner[keys[-1]])
        case _:
            del inner[keys[-1]]
    text: str = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    return text.encode("utf-8", "surrogatepass")


def garbled(seed: int, how: str) -> bytes:
    """The default parameters with some bytes, lines or the encoding spoilt."""
    chance, content = random.Random(seed), TEXT.encode()
    lines = content.splitlines(keepends=True)
    match how:
        case "bytes":
            spoilt = bytearray(content)
            for _ in range(chance.randint(1, 6)):
                spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
            return bytes(spoilt)
        case "cut":
            return content[: chance.randrange(len(content))]
        case "lines":
            chance.shuffle(lines)
            return b"".join(lines)
        case "twice":
            place = chance.randrange(len(lines))
            return b"".join([*lines[:place], lines[place], *lines[place:]])
        case "tabs":
            return content.replace(b"  ", b"\t", chance.randint(1, 9))
        case _:
            return TEXT.encode(chance.choice(["utf-16", "utf-16-le", "utf-8-sig", "utf-32", "utf-7"]))


MUTATED = (
    st.builds(changed, st.sampled_from(PLACES), st.sampled_from(["value", "key", "item", "copy", "gone"]), ODD)
    | st.builds(changed, st.sampled_from(PLACES), st.just("value"), ODD)
    | st.builds(garbled, st.integers(0, 10**6), st.sampled_from(["bytes", "cut", "lines", "twice", "tabs", "code"]))
    | RAW
)


def plan(path: Path) -> str:
    """What ``edgebias plan --params`` says of a file: nothing where it is a study, else its one line."""
    errors = io.StringIO()
    try:
        with redirect_stderr(errors), redirect_stdout(io.StringIO()):
            main(["plan", "--params", str(path)])
    except SystemExit as left:
        return errors.getvalue() if left.code == 2 else ""
    return ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the file is written, while the working directory is the checkout."""
    with chdir(ROOT):
        yield tmp_path_factory.mktemp("params")


SAME_ON_EVERY_RUN = {
    "derandomize": True,
    "database": None,
    "phases": (Phase.explicit, Phase.generate),  # a smaller case costs minutes, and the file is in the message
    "suppress_health_check": list(HealthCheck),
}


@pytest.mark.slow
@settings(max_examples=40, **SAME_ON_EVERY_RUN)
@given(content=MUTATED)
@example(content=b"study: {methods: [{method: {}}]}")
@example(content=b"infer: {formats: {? " + b"a" * 3000 + b" : [likelihood]}}")
@example(content=b"environments: {cloud: {extra: {a: 2024-01-01}}}")
@example(content=b"models: {a: {source: {file: 'x\\0y'}}}")
def test_a_mutated_parameter_file_is_a_study_or_one_line(content: bytes, folder: Path) -> None:
    """The same files on every run; any exception but the one line fails."""
    is_a_study_or_one_line(content, folder)


@pytest.mark.fault
@settings(max_examples=500, **SAME_ON_EVERY_RUN)
@given(content=MUTATED)
def test_five_hundred_mutated_parameter_files(content: bytes, folder: Path) -> None:
    is_a_study_or_one_line(content, folder)


def is_a_study_or_one_line(content: bytes, folder: Path) -> None:
    path = folder / "mutated.yaml"
    path.write_bytes(content)
    with suppress(InputError):
        load(path)  # alone, where whole sections may be missing
    said = plan(path)
    assert said == "" or (said.startswith("error: ") and said.count("\n") == 1), said
    assert len(said) < 2000
    if not said:  # what is accepted can be planned down to the settings of each job
        assert read_study(overlays=[path]).settings("report", {})
