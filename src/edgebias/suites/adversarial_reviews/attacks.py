"""Attacks on a sentence that a reader hardly notices, by rule: no model chooses what is attacked.

``typo``, ``split`` and ``lookalike`` are bugs of TextBugger (Li et al., NDSS 2019, section III-B): swap or delete
inner letters, insert a space, substitute a similar character. ``distractor`` appends the tautology of the stress tests
(Naik et al., COLING 2018). AdvGLUE++ searches greedily for the words that turn a given model; these are taken by a
hash of the sentence. So the attacks are the same for every build, and weaker.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from edgebias.suites.review_sentences import hashed

SHARE = 0.5
"""Attacked share of the words that can be attacked, rounded up.

TextBugger stops where its model's answer turns; without a model the share is fixed, at what a reader still reads."""

LEAST_LETTERS = 4
"""A shorter word has no two inner letters to swap."""

TAUTOLOGY = "and true is true"
REPEATS = 5
"""Of the tautology, as in the stress test of length mismatch."""

SIMILAR: Mapping[str, str] = {"a": "@", "e": "3", "i": "1", "l": "1", "o": "0", "s": "5"}
"""Similar characters; TextBugger prints the first, fourth and fifth of such pairs as examples."""

_LETTERS = re.compile(r"[A-Za-z]+")
_ENDING = re.compile(r"[.!?]*$")


def typo(text: str) -> str:
    """Swap two neighbouring inner letters, or delete one, in half of the longer words."""
    return _attacked(text, _misspelt)


def split(text: str) -> str:
    """Put a space inside half of the longer words."""
    return _attacked(text, _split)


def lookalike(text: str) -> str:
    """Replace one letter by a similar character in half of the longer words."""
    return _attacked(text, _similar)


def distractor(text: str) -> str:
    """Append a sentence that says nothing, before the full stop."""
    ending = _ENDING.search(text)
    start = ending.start() if ending else len(text)
    return text[:start] + f" {TAUTOLOGY}" * REPEATS + text[start:]


ATTACKS: Mapping[str, Callable[[str], str]] = {
    "typo": typo,
    "split": split,
    "lookalike": lookalike,
    "distractor": distractor,
}
"""The attack of each condition; every one changes every sentence that has a word of four letters."""


def _attacked(text: str, bug: Callable[[str, int], str]) -> str:
    """Apply ``bug`` to half of the words that it changes, chosen by a hash of the text."""
    changed: dict[int, str] = {}
    ends: dict[int, int] = {}
    for match in _LETTERS.finditer(text):
        if len(match.group()) >= LEAST_LETTERS:
            new = bug(match.group(), hashed(text, str(match.start())))
            if new != match.group():
                changed[match.start()], ends[match.start()] = new, match.end()
    wanted = -int(-SHARE * len(changed) // 1)
    chosen = sorted(sorted(changed, key=lambda start: hashed(text, "attacked", str(start)))[:wanted])
    pieces, end = [], 0
    for start in chosen:
        pieces += [text[end:start], changed[start]]
        end = ends[start]
    return "".join([*pieces, text[end:]])


def _misspelt(word: str, draw: int) -> str:
    """Delete an inner letter for odd draws, else swap two that differ; the first and last letter stay."""
    if draw % 2:
        place = 1 + draw // 2 % (len(word) - 2)
        return word[:place] + word[place + 1 :]
    places = [place for place in range(1, len(word) - 2) if word[place] != word[place + 1]]
    if not places:
        return word
    place = places[draw // 2 % len(places)]
    return word[:place] + word[place + 1] + word[place] + word[place + 2 :]


def _split(word: str, draw: int) -> str:
    place = 1 + draw % (len(word) - 1)
    return f"{word[:place]} {word[place:]}"


def _similar(word: str, draw: int) -> str:
    places = [place for place, letter in enumerate(word) if letter in SIMILAR]
    if not places:
        return word
    place = places[draw % len(places)]
    return word[:place] + SIMILAR[word[place]] + word[place + 1 :]
