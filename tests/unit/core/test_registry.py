"""Registries, through entries and plugins that lie in a temporary folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edgebias.core import registry
from edgebias.core.errors import InputError
from edgebias.core.registry import Registry, load_plugins


@dataclass(frozen=True)
class Thing:
    name: str


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package of things in the working directory; nothing of it stays behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "_plugins", {})
    before = set(sys.modules)
    folder = tmp_path / "things"
    (folder / "round").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "round" / "__init__.py").write_text("")
    make = f"from {__name__} import Thing\n"
    (folder / "round" / "thing.py").write_text(make + "THING = Thing('round')\n")
    (folder / "square.py").write_text(make + "THING: Thing = Thing('square')\n")
    (folder / "helper.py").write_text("raise ImportError('no entry is imported to be found')\nNOTHING = 1\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def things() -> Registry[Thing]:
    return Registry("things", "THING", Thing, "thing")


@pytest.mark.usefixtures("package")
def test_entries_by_file_and_by_folder() -> None:
    assert things().names() == ["round", "square"]
    assert things().get("round") == Thing("round")
    assert things().module("round") == "things.round.thing"


@pytest.mark.usefixtures("package")
def test_unknown_entry() -> None:
    with pytest.raises(InputError, match="thing 'flat' is unknown; choose one of round, square"):
        things().get("flat")


def test_plugin_entry(package: Path) -> None:
    (package / "mine.py").write_text(f"from {__name__} import Thing\nTHING = Thing('flat')\n")
    load_plugins(["mine"])
    assert things().names() == ["flat", "round", "square"]
    assert things().module("flat") == "mine"


def test_plugin_of_another_kind(package: Path) -> None:
    (package / "wrong.py").write_text("class Other:\n    name = 'flat'\nTHING = Other()\n")
    load_plugins(["wrong"])
    with pytest.raises(InputError, match="wrong: THING is a Other, not a Thing"):
        things().get("flat")


@pytest.mark.parametrize(
    ("text", "words"), [(None, "there is no module 'broken'"), ("1 / 0\n", "broken cannot be imported")]
)
def test_plugin_that_cannot_be_had(package: Path, text: str | None, words: str) -> None:
    if text is not None:
        (package / "broken.py").write_text(text)
    with pytest.raises(InputError, match=words):
        load_plugins(["broken"])
