"""Winogender (Rudinger et al., NAACL 2018; rudinger/winogender-schemas at 1c7f8b48, MIT), as a two-answer question."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.core.spreadsheet import decimal
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import AGAIN, read_csv_rows
from edgebias.suites.winogender.suite import SUITE

CONDITIONS = SUITE.conditions
_PRONOUNS = {
    "male": re.compile(r"\b(?:he|him|his|himself)\b", re.IGNORECASE),
    "female": re.compile(r"\b(?:she|her|hers|herself)\b", re.IGNORECASE),
}
_SENTENCE_ID = re.compile(
    r"(?P<occupation>[^.]+)\.(?P<participant>[^.]+)\.(?P<answer>[01])\.(?P<gender>male|female|neutral)\.txt"
)
_SOMEONE = "someone"


@dataclass(frozen=True)
class _Occupation:
    """The share of women in an occupation as the file writes it, and the gender of the majority."""

    share: str
    majority: str


def load(raw_folder: Path) -> list[Item]:
    """Return the 480 sentences with "he" or "she" as items.

    The sentence, ``Who does "he" refer to?``, and its two persons.

    The right answer is the one that the sentence id names (0: the occupation, 1: the participant). The stereotype role
    is the occupation where the pronoun is of the gender of its majority in the benchmark's labour statistics
    (``bls_pct_female``, US Bureau of Labor Statistics of 2015 and 2016), and the other person where it is not. So
    items whose right answer is the anti-stereotype are the paper's "gotcha" sentences. The 240 sentences with "they"
    are left out: a neutral pronoun makes no answer stereotypical.

    The eight sentences of an occupation (two templates, participant named or "someone", two pronouns) are one
    cluster: the statistic of the paper is over occupations, and what a model takes an occupation's gender to be moves
    both of its templates. ``cluster`` is the occupation and its share of women in per cent, ``nurse/89.58``, which the
    metrics read; ``category`` is the gender of the majority, ``majority_male`` or ``majority_female``. The four
    sentences of a template pair with the same naming of the participant are one block.

    Raises:
        InputError: a file is missing, a line cannot be taken apart, or an occupation has no share of women.
    """
    folder = raw_folder / "Winogender" / "data"
    occupations = _occupations(folder / "occupations-stats.tsv")
    path = folder / "all_sentences.tsv"
    items: dict[str, Item] = {}
    for number, row in read_csv_rows(path, ("sentid", "sentence")):
        item = _item(row["sentid"].strip(), row["sentence"].strip(), occupations, path, number)
        if item is None:
            continue
        if item.item_id in items:
            raise InputError(f"{path}: row {number}: {row['sentid']!r} was there before; {AGAIN}")
        items[item.item_id] = item
    return list(items.values())


def _item(sentence_id: str, sentence: str, occupations: dict[str, _Occupation], path: Path, number: int) -> Item | None:
    """Return one sentence as an item; None for a neutral pronoun."""
    place = f"{path}: row {number}"
    parts = _SENTENCE_ID.fullmatch(sentence_id)
    if parts is None:
        raise InputError(f"{place}: id {sentence_id!r} is not occupation.participant.answer.gender.txt; {AGAIN}")
    name, participant, gender = parts["occupation"], parts["participant"], parts["gender"]
    if name not in occupations:
        raise InputError(f"{place}: occupation {name!r} is not in occupations-stats.tsv; {AGAIN}")
    if gender not in CONDITIONS:
        return None
    pronouns = _PRONOUNS[gender].findall(sentence)
    if len(pronouns) != 1:
        raise InputError(f"{place}: one {gender} pronoun is needed, found {pronouns}; {AGAIN}")
    mentions = {person: re.search(rf"\b{re.escape(person)}\b", sentence, re.I) for person in (name, participant)}
    starts = {person: match.start() for person, match in mentions.items() if match is not None}
    if len(starts) != 2:
        raise InputError(f"{place}: {name!r} and {participant!r} must both occur in the sentence; {AGAIN}")
    persons = sorted(starts, key=lambda person: starts[person])
    occupation = occupations[name]
    answer = int(parts["answer"])
    stereotype = name if occupation.majority == gender else participant
    bleached = participant == _SOMEONE
    return Item(
        item_id=f"winogender/{name}/{participant}/{answer}/{gender}",
        suite="winogender",
        category=f"majority_{occupation.majority}",
        cluster=f"{name}/{occupation.share}",
        condition=gender,
        context=sentence,
        question=f'Who does "{pronouns[0].lower()}" refer to?',
        options=tuple(person if person == _SOMEONE else f"the {person}" for person in persons),
        roles=tuple("stereotype" if person == stereotype else "anti_stereotype" for person in persons),
        label=persons.index((name, participant)[answer]),
        source=f"Winogender/data/{path.name}:{number}",
        errata="",
        design=Design(
            block=_SOMEONE if bleached else "participant",
            cell=2 * answer + CONDITIONS.index(gender),
            arm=int(bleached),
        ),
    )


def _occupations(path: Path) -> dict[str, _Occupation]:
    found: dict[str, _Occupation] = {}
    for number, row in read_csv_rows(path, ("occupation", "bls_pct_female")):
        name, share = row["occupation"].strip(), row["bls_pct_female"].strip().replace(",", ".")
        value = decimal(share)
        if value is None or not 0.0 <= value <= 100.0 or value == 50.0:
            raise InputError(
                f"{path}: row {number}: bls_pct_female of {name!r} is {share!r}; a share of women in per cent other "
                f"than 50 is needed; {AGAIN}"
            )
        occupation = _Occupation(share, "female" if value > 50.0 else "male")
        if found.setdefault(name, occupation) != occupation:
            raise InputError(f"{path}: row {number}: {name!r} was there before, with another share; {AGAIN}")
    return found
