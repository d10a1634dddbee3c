"""README and documentation as a reader meets them: short sentences, links that lead somewhere, names that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from edgebias import config
from edgebias.cli import STAGES, VERBS, app

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
README = CHECKOUT / "README.md"
GENERATED = {DOCS / "reference" / name for name in ("tables.md", "commands.md", "params.md")}
PAGES = sorted([README, CHECKOUT / "ARTIFACT.md", *DOCS.rglob("*.md")])
RECORDS = DOCS / "notebook"
"""Dated pages may name what is no more."""

CURRENT = [page for page in PAGES if RECORDS not in page.parents and page not in GENERATED]
WRITTEN = [page for page in CURRENT if DOCS / "results" not in page.parents]
"""Pages that people write; what the pipeline writes has sentences of its own."""


COMMANDS: Any = get_command(app)

LONGEST = 30
FENCE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
ITEM = re.compile(r"(?:[-*]|\d+\.) ")
ENDING = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9])")
PLACE = re.compile(r"(?<![\w./-])(?:src|docs|tests|workflow|config|benchmarks|simulations|profiles)/[\w./-]+\w")


def name_of(page: Path) -> str:
    return page.relative_to(CHECKOUT).as_posix()


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def sentences(text: str) -> list[str]:
    """The sentences of a page without tables, headings and blocks of code; a piece of code counts as a word."""
    blocks: list[list[str]] = [[]]
    for line in re.sub(r"<!--.*?-->", "", FENCE.sub("", text), flags=re.DOTALL).splitlines():
        words = line.strip()
        if not words or words.startswith(("|", "#")):
            blocks.append([])
        elif item := ITEM.match(words):
            blocks.append([words[item.end() :]])
        else:
            blocks[-1].append(words)
    joined = (CODE.sub("Code", re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(block))) for block in blocks)
    return [part for block in joined for part in ENDING.split(block.replace("*", "")) if part]


def length(sentence: str) -> int:
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


def code_of(page: Path) -> str:
    """Everything on a page that is set as code, a piece a line."""
    text = text_of(page)
    return "\n".join([*FENCE.findall(text), *CODE.findall(FENCE.sub("", text))])


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and the site make them."""
    found: set[str] = set()
    seen: Counter[str] = Counter()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", text), flags=re.MULTILINE):
        plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\s-]", "", plain.lower()).strip().replace(" ", "-")
        found.add(slug if not seen[slug] else f"{slug}-{seen[slug]}")
        seen[slug] += 1
    return found


def test_the_readme_has_at_most_150_lines() -> None:
    assert len(text_of(README).splitlines()) <= 150


def test_the_readme_shows_both_commands_within_250_words() -> None:
    before, found, _ = text_of(README).partition("make test")
    assert found
    assert "make reproduce" in before
    assert len(before.split()) <= 250


def test_a_sentence_ends_where_a_reader_sees_its_end() -> None:
    text = "# No sentence\nOne [two](x.md) `three four`.\nFive (six). *Seven*\n- eight\n\n| nine |\n```\nten\n```\n"
    assert [length(sentence) for sentence in sentences(text)] == [3, 2, 1, 1]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_no_sentence_is_longer_than_a_breath(page: Path) -> None:
    assert [sentence for sentence in sentences(text_of(page)) if length(sentence) > LONGEST] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = FENCE.sub("", text_of(page))
    broken = []
    for link in LINK.findall(text):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file) if file else page
        if not target.exists() or (anchor and anchor not in anchors(text_of(target))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", CURRENT, ids=name_of)
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([\w.-]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"^(?:make|\$ make) ([a-z][\w.-]*)", code_of(page), flags=re.MULTILINE)) - targets == set()


@pytest.mark.parametrize("page", CURRENT, ids=name_of)
def test_every_command_named_exists(page: Path) -> None:
    named = set(re.findall(r"(?<![\w./-])edgebias ([a-z][\w-]*)", code_of(page)))
    assert named - {*STAGES, *VERBS} == set()


@pytest.mark.parametrize("page", CURRENT, ids=name_of)
def test_every_flag_of_a_command_shown_exists(page: Path) -> None:
    unknown = []
    for name, rest in re.findall(r"^edgebias ([a-z][\w-]*)(.*)$", code_of(page).replace("\\\n", " "), re.MULTILINE):
        command = COMMANDS.get_command(COMMANDS.make_context("edgebias", [name]), name)
        known = {flag for parameter in command.params for flag in parameter.opts}
        unknown += [
            f"{name} {flag}" for flag in re.findall(r" (--[a-z][\w-]*)", rest) if flag not in known | {"--help"}
        ]
    assert unknown == []


@pytest.mark.parametrize("page", CURRENT, ids=name_of)
def test_every_file_of_the_checkout_named_exists_or_is_made(page: Path) -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    mine = {"config/mine.yaml", "config/NAME.yaml"}  # what the reader writes
    named = set(PLACE.findall(code_of(page))) - mine
    assert {place for place in named if not (CHECKOUT / place).exists() and place not in makefile} == set()


@pytest.mark.parametrize("page", CURRENT, ids=name_of)
def test_every_study_shown_is_accepted(page: Path, tmp_path: Path) -> None:
    for number, shown in enumerate(re.findall(r"^```yaml\n(study:.*?)^```", text_of(page), re.DOTALL | re.MULTILINE)):
        overlay = tmp_path / f"{number}.yaml"
        overlay.write_text(shown, encoding="utf-8")
        config.load(CHECKOUT / "params.yaml", overlay)


@pytest.mark.parametrize("page", CURRENT, ids=name_of)
def test_every_yaml_shown_can_be_read(page: Path) -> None:
    """A workflow or an overlay that a reader copies is valid YAML."""
    for shown in re.findall(r"^```yaml\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE):
        assert yaml.safe_load(shown)
