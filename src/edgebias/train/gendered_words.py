"""Names and words that tell a person's gender: read from published lists, told apart, and made neutral.

Names are those of BBQ's templates (Parrish et al. 2022), pairs of words those that WinoBias swaps (Zhao et al. 2018).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.suites.occupation_sentences import FEMALE, GENDER_OF, MALE, MORE_SWAPS, NAMES, SWAPS
from edgebias.suites.raw_files import AGAIN, read_csv_rows, read_raw_text

ETHNIC_GROUPS = ("Arab", "Asian", "Black", "Latino", "White")

BOTH, NEITHER = "both", "neither"
TOLD = (FEMALE, MALE, BOTH, NEITHER)
"""What the pronouns of a text tell of gender."""

_SEXES = {"F": FEMALE, "M": MALE}
_ANY = ""
_NEUTRAL = {
    "he": "they",
    "she": "they",
    "him": "them",
    "his": "their",
    "her": "their",
    "hers": "theirs",
    "himself": "themself",
    "herself": "themself",
}
_ADJECTIVES = frozenset({"male", "female"})
_TITLES = frozenset({"mr.", "mrs.", "ms.", "miss", "sir", "ma'am", "lord", "lady"})
_WORD = re.compile(r"[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)*")
_SPACES = re.compile(r" {2,}")
_TITLED = re.compile(r"\b(?:Dr|Prof|Mr|Mrs|Ms|Miss|Sir|Lady)\.? (?=[A-Z])")
_NAME_PAIR = re.compile(r"\b[A-Z][a-z]+(?: [A-Z]\.)?(?: (?:de|van|den|von|al|el|[A-Z][\w’'-]+))*? [A-Z][a-z][\w’'-]*")
_NO_NAMES = frozenset(
    (
        *("The", "A", "An", "In", "At", "On", "As", "With", "For", "From", "By", "While", "When", "After", "Before"),
        *("Since", "Although", "He", "She", "His", "Her", "They", "Their", "It", "Its", "Despite", "Being", "During"),
        *("Every", "This", "That", "One", "Both"),
    )
)
"""Capitalised at the head of a sentence, and no name with the word that follows."""


@dataclass(frozen=True)
class Names:
    """First names by gender, and first and last names by ethnic group.

    Attributes:
        of_gender: first names that tell a gender alone.
        of_group: first names by (ethnic group, gender).
        last: last names by ethnic group.
    """

    of_gender: Mapping[str, tuple[str, ...]]
    of_group: Mapping[tuple[str, str], tuple[str, ...]]
    last: Mapping[str, tuple[str, ...]]

    @property
    def every(self) -> frozenset[str]:
        """All of them."""
        lists = (*self.of_gender.values(), *self.of_group.values(), *self.last.values())
        return frozenset(name for names in lists for name in names)


def read_names(raw_folder: Path) -> Names:
    """Read the list of names.

    Raises:
        InputError: it is absent or damaged, or has no name of a group.
    """
    path = raw_folder / NAMES.path
    found: dict[tuple[str, str, str], list[str]] = {}
    for _, row in read_csv_rows(path, ("Name", "First_last", "gender", "ethnicity")):
        key = (row["First_last"].strip(), row["ethnicity"].strip(), _SEXES.get(row["gender"].strip(), _ANY))
        found.setdefault(key, []).append(row["Name"].strip())

    def of(kind: str, group: str, gender: str) -> tuple[str, ...]:
        names = found.get((kind, group, gender))
        if not names:
            raise InputError(f"{path}: no {kind} name of {' '.join(filter(None, (group, gender)))}; {AGAIN}")
        return tuple(names)

    genders = tuple(_SEXES.values())
    return Names(
        {gender: of("first_only", _ANY, gender) for gender in genders},
        {(group, gender): of("first", group, gender) for group in ETHNIC_GROUPS for gender in genders},
        {group: of("last", group, _ANY) for group in ETHNIC_GROUPS},
    )


def read_gendered_words(raw_folder: Path) -> frozenset[str]:
    """Return every word of the lists of pairs, in lower case.

    Raises:
        InputError: a list is absent, or a line of it is no pair.
    """
    words: set[str] = set()
    for file in (SWAPS, MORE_SWAPS):
        path = raw_folder / file.path
        for number, line in enumerate(read_raw_text(path).split("\n"), start=1):
            pair = [word.strip().strip("'") for word in line.split("\t")]
            if line.strip() and (len(pair) != 2 or not all(pair)):
                raise InputError(f"{path}: row {number}: not two words with a tab between them; {AGAIN}")
            words.update(word.lower() for word in pair if word)
    return frozenset(words)


def gender_told(text: str) -> str:
    """Return which gender the pronouns of a text tell, one of `TOLD`."""
    told = {GENDER_OF[word] for word in map(str.lower, _WORD.findall(text)) if word in GENDER_OF}
    return told.pop() if len(told) == 1 else BOTH if told else NEITHER


def neutral(text: str, words: Collection[str], names: Collection[str]) -> str:
    """Return a text whose pronouns, gendered words and names are neutral: mask-based mitigation of arXiv:2502.04419.

    Pronouns become they, them, their; "male" and "female" go; other gendered words become person or people. A listed
    name, two capitalised words in a row and a title with a capitalised word become "the person"; a single name that no
    list has stays.

    Args:
        text: as it is written.
        words: gendered words, in lower case.
        names: listed names.
    """
    text = _NAME_PAIR.sub(_person, _TITLED.sub("", text))

    def replaced(match: re.Match[str]) -> str:
        word = match[0]
        lower = word.lower()
        if word in names:
            return "the person"
        if lower in _NEUTRAL:
            return _as(word, _NEUTRAL[lower])
        if lower in _ADJECTIVES or lower in _TITLES:
            return ""
        if lower in words:
            return _as(word, "people" if lower.endswith(("s", "men")) and not lower.endswith("ss") else "person")
        return word

    text = _SPACES.sub(" ", _WORD.sub(replaced, text)).strip()
    text = re.sub(r"(?:the person[ ,]*)+(?=the person)|\b(?:the|a) (?=the person)", "", text, flags=re.IGNORECASE)
    return text[:1].upper() + text[1:]


def _person(match: re.Match[str]) -> str:
    first, *others = match[0].split()
    return match[0] if first in _NO_NAMES or not others else "the person"


def _as(word: str, replacement: str) -> str:
    return replacement.capitalize() if word[:1].isupper() else replacement
