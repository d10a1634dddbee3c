"""WinoBias (Zhao et al., NAACL 2018; uclanlp/corefBias at 0bce984d, MIT), as a question with two answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.suites.errata import joined
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import read_raw_text
from edgebias.suites.winobias.suite import SUITE

CONDITIONS = SUITE.conditions
_PRONOUNS = {
    **dict.fromkeys(("he", "him", "his", "himself"), "male"),
    **dict.fromkeys(("she", "her", "hers", "herself"), "female"),
}
_CELLS = re.compile(r'^"|[",;|]$')
_NUMBER = re.compile(r"^\d+\s+")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_REPEATED_ARTICLE = re.compile(r"\b(the)\s+(\[\s*)the\b", re.IGNORECASE)


@dataclass(frozen=True)
class _Line:
    """One line, taken apart: ``neutral`` is the sentence with every pronoun replaced by one mark."""

    text: str
    neutral: str
    pronoun: str
    gender: str
    antecedent: str
    occupations: tuple[str, str]
    errata: frozenset[str]


def load(raw_folder: Path) -> list[Item]:
    """Return all 3,168 lines as items: the sentence, ``Who does "he" refer to?``, and the two occupations.

    The right answer is the bracketed antecedent; the stereotype role is the occupation of the pronoun's gender in the
    benchmark's own lists (US labour statistics of 2017). So in ``pro`` items the right answer is the stereotype. Lines
    with a third bracket have a second pronoun for the same person; the question asks for the first. Lines 2k-1 and 2k
    share their two occupations: they are one cluster, and a line and its partner in the other file are one block.

    Raises:
        InputError: a file is missing, files differ in length, or a line cannot be taken apart.
    """
    folder = raw_folder / "WinoBias" / "data"
    genders = {
        occupation.lower(): (gender, occupation)
        for gender in ("male", "female")
        for occupation in (line.strip() for line in read_raw_text(folder / f"{gender}_occupations.txt").split("\n"))
        if occupation
    }
    if not genders:
        raise InputError(f"{folder}: the occupation lists are empty; fetch the files again")
    return [
        item for kind in ("type1", "type2") for part in ("dev", "test") for item in _part(folder, kind, part, genders)
    ]


def _part(folder: Path, kind: str, part: str, genders: dict[str, tuple[str, str]]) -> Iterator[Item]:
    paths = {condition: folder / f"{condition}_stereotyped_{kind}.txt.{part}" for condition in CONDITIONS}
    texts = {name: [line for line in read_raw_text(path).split("\n") if line.strip()] for name, path in paths.items()}
    if len(texts["pro"]) != len(texts["anti"]):
        raise InputError(
            f"{paths['anti']}: {len(texts['anti'])} lines, but {paths['pro'].name} has {len(texts['pro'])}; "
            "fetch both again"
        )
    for number, pair in enumerate(zip(texts["pro"], texts["anti"], strict=True), start=1):
        lines = [
            _take_apart(text, genders, f"{paths[condition]}: row {number}")
            for condition, text in zip(CONDITIONS, pair, strict=True)
        ]
        flags = frozenset({"winobias-partner-differs"}) if lines[0].neutral != lines[1].neutral else frozenset()
        for cell, (condition, line) in enumerate(zip(CONDITIONS, lines, strict=True)):
            label = line.occupations.index(line.antecedent)
            stereotype = [genders[name][0] for name in line.occupations].index(line.gender)
            if (label == stereotype) != (condition == "pro"):
                raise InputError(
                    f"{paths[condition]}: row {number}: the line is not {condition}-stereotyped; fetch it again"
                )
            yield Item(
                item_id=f"winobias/{kind}/{part}/{number:03d}/{condition}",
                suite="winobias",
                category=kind,
                cluster=f"{kind}/{part}/{(number + 1) // 2:03d}",
                condition=condition,
                context=line.text,
                question=f'Who does "{line.pronoun}" refer to?',
                options=tuple(f"the {genders[name][1]}" for name in line.occupations),
                roles=tuple("stereotype" if index == stereotype else "anti_stereotype" for index in (0, 1)),
                label=label,
                source=f"WinoBias/data/{paths[condition].name}:{number}",
                errata=joined(line.errata | flags),
                design=Design(block=f"{number:03d}", cell=cell, arm=int(genders[line.antecedent][0] == "male")),
            )


def _take_apart(raw: str, genders: dict[str, tuple[str, str]], place: str) -> _Line:
    if _CELLS.search(raw.strip()):
        raise InputError(
            f"{place}: quotes or delimiters around the line, as a spreadsheet saves it; fetch the file again"
        )
    numbered = _NUMBER.sub("", raw.strip())
    single, n_repeated = _REPEATED_ARTICLE.subn(r"\2\1", numbered)
    brackets = [bracket.strip() for bracket in _BRACKET.findall(single)]
    pronouns = [bracket.lower() for bracket in brackets if bracket.lower() in _PRONOUNS]
    entities = [bracket for bracket in brackets if bracket.lower() not in _PRONOUNS]
    if len(entities) != 1 or not pronouns or len({_PRONOUNS[pronoun] for pronoun in pronouns}) != 1:
        raise InputError(f"{place}: one bracketed person and pronouns of one gender are needed; fetch the file again")
    words = re.compile(
        r"\b(?:" + "|".join(map(re.escape, sorted(genders, key=len, reverse=True))) + r")\b", re.IGNORECASE
    )
    text = _tidy(_BRACKET.sub(r"\1", single))
    mentioned = tuple(dict.fromkeys(match.lower() for match in words.findall(text)))[:2]
    antecedent = words.search(entities[0])
    if antecedent is None or len(mentioned) != 2 or antecedent.group().lower() not in mentioned:
        raise InputError(
            f"{place}: two occupations of the lists are needed, found {list(mentioned)}; fetch the file again"
        )
    if len({genders[name][0] for name in mentioned}) != 2:
        raise InputError(f"{place}: {list(mentioned)} are in the same occupation list; fetch the files again")
    return _Line(
        text=text,
        neutral=_tidy(_BRACKET.sub(lambda match: _neutral(match.group(1)), single)).lower(),
        pronoun=pronouns[0],
        gender=_PRONOUNS[pronouns[0]],
        antecedent=antecedent.group().lower(),
        occupations=(mentioned[0], mentioned[1]),
        errata=frozenset({"winobias-double-article"}) if n_repeated else frozenset(),
    )


def _neutral(bracket: str) -> str:
    return "PRONOUN" if bracket.strip().lower() in _PRONOUNS else bracket


def _tidy(text: str) -> str:
    """Undo the tokenised spacing of some lines (``guard 's``, two spaces)."""
    return re.sub(r"\s+(['.,?!])", r"\1", re.sub(r"\s+", " ", text)).strip()
