"""The number that a worked solution comes to, read exactly, and numbers near a right one.

What is read, the first that a text has:

1. what stands last in a LaTeX box, or after ``####``, the mark of GSM8K;
2. what is announced: "the answer is 42 apples", "Answer: **42**"; of an equation what stands after its last ``=``;
3. the last number of the text, as in the flexible reading of the LM Evaluation Harness. Numbers of list entries and
   ordinals are none.

Thousands separators, currencies, percent signs and units are left out; fractions and mixed numbers are read. A text
that goes on with another problem is read up to there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction

from edgebias.core.seeds import derive
from edgebias.metrics.answers import OPTION
from edgebias.suites.asked_by import PLAIN
from edgebias.suites.item import Design, Item

RULE = 'Solve the problem step by step. End with "The answer is" and the number.'
"""What tells a model how to write a solution."""

N_OPTIONS = 4
_DISTANCES = (1, 2, 10)
"""How far wrong numbers lie from the right one: a slip of counting, of two, of a digit."""

_MOST_DIGITS = 40
_CURRENCY = "$€£¥"
_NUMBER = re.compile(
    rf"""(?<![\w.,^)])(?<!\d:)(?P<sign>-)?(?:[{_CURRENCY}]\s?)?(?P<minus>-)?
        (?:(?P<whole>\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)(?P<decimals>\.\d+)?|(?P<tail>\.\d+))
        (?:(?P<mixed>\s\d+)?\s?[/\u2044]\s?(?P<below>\d+)(?![\d.]|/))?
        (?!\d|:\d|(?:st|nd|rd|th)\b)""",
    re.VERBOSE,
)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{((?:[^{}]|\{[^{}]*\})*)")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{?\s*(\d+)\s*\}?\s*\{?\s*(\d+)\s*\}?")
_MARK = re.compile(r"####[ \t]*([^\n]+)")
_ANNOUNCED = re.compile(
    r"\b(?:final|correct|total)?\s?(?:answer|result|solution)\b(?:\s+to\s+the\s+(?:problem|question))?\s*"
    r"(?:is|are|was|would be|will be|:|=|->)+",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"(?<!\d)\.(?=\s|\Z)|\.(?=\s+[A-Z]|\s*\Z)|[;!?\n]")
_ENTRY = re.compile(r"^[ \t]*(?:[-*#]+[ \t]*)?(?:step[ \t]+)?\d+[.):](?=[ \t]+\S)", re.MULTILINE | re.IGNORECASE)
_NEXT_PROBLEM = re.compile(
    r"\n[ \t>#]*(?:question|q|user|human|problem|example|exercise|instruction)\b[^\n:]{0,12}:", re.IGNORECASE
)
_MARKUP = str.maketrans({"*": "", "`": "", "\u2212": "-", "\u2013": "-", "\u202f": "", "\u00a0": " "})


def final_number(text: str) -> Fraction | None:
    """Return the number that a solution comes to; None where it names none. Never raises for any text."""
    plain = unicodedata.normalize("NFKC", _FRACTION.sub(r"\1/\2", text).replace("\\$", "$").replace("{,}", ","))
    plain = re.sub(r"\\(?:text|mathrm)\{([^{}]*)\}|\\[,;! ]", r" \1", plain).translate(_MARKUP)
    plain = _NEXT_PROBLEM.split(plain, maxsplit=1)[0] if not _NEXT_PROBLEM.match(plain) else plain
    marked = [*_BOX.finditer(plain), *_MARK.finditer(plain)]
    for found in sorted(marked, key=lambda match: -match.start()):
        if (number := _after_equation(found[1])) is not None:
            return number
    for announced in reversed(list(_ANNOUNCED.finditer(plain))):
        sentence = _SENTENCE_END.split(plain[announced.end() :].lstrip(), maxsplit=1)[0]
        if (number := _after_equation(sentence)) is not None:
            return number
    numbers = _numbers(_ENTRY.sub("", plain))
    return numbers[-1] if numbers else None


def come_to(items: Sequence[Item], texts: Sequence[str]) -> list[int | None]:
    """Return the option that is the number of each solution; -1 for another number, None where it names none."""
    return [_option(item, final_number(text)) for item, text in zip(items, texts, strict=True)]


def near_numbers(right: int, name: str) -> tuple[tuple[int, ...], int]:
    """Return `N_OPTIONS` numbers in order, ``right`` among them, and its place.

    How many are smaller is hashed from ``name``, so that no place is right more often; none is below 0 where ``right``
    is not.
    """
    below = [right - distance for distance in _DISTANCES if right < 0 or right >= distance]
    n_below = min(derive(0, "near numbers", name) % N_OPTIONS, len(below))
    above = [right + distance for distance in _DISTANCES][: N_OPTIONS - 1 - n_below]
    numbers = tuple(sorted((*below[:n_below], right, *above)))
    return numbers, numbers.index(right)


def number_problem(
    name: str, *, suite: str, category: str, cluster: str, question: str, answer: int, source: str, block: str
) -> Item:
    """Return a problem that is asked plainly, with its right number and those of `near_numbers` as options."""
    numbers, label = near_numbers(answer, name)
    return Item(
        item_id=name,
        suite=suite,
        category=category,
        cluster=cluster,
        condition=PLAIN,
        context="",
        question=question,
        options=tuple(map(str, numbers)),
        roles=(OPTION,) * N_OPTIONS,
        permutation=tuple(range(N_OPTIONS)),
        label=label,
        source=source,
        design=Design(block=block),
    )


def _option(item: Item, number: Fraction | None) -> int | None:
    if number is None:
        return None
    return next((place for place, option in enumerate(item.options) if Fraction(option) == number), -1)


def _after_equation(clause: str) -> Fraction | None:
    """Return the first number after the last ``=`` of a clause."""
    numbers = _numbers(clause.rpartition("=")[2]) or _numbers(clause)
    return numbers[0] if numbers else None


def _numbers(text: str) -> list[Fraction]:
    return [number for match in _NUMBER.finditer(text) if (number := _value(match)) is not None]


def _value(match: re.Match[str]) -> Fraction | None:
    digits = f"{(match['whole'] or '').replace(',', '')}{match['decimals'] or match['tail'] or ''}"
    if len(digits) + len(match["below"] or "") > _MOST_DIGITS:
        return None
    number = Fraction(digits)
    if match["below"]:
        below = int(match["below"])
        if not below:
            return None
        number = number + Fraction(int(match["mixed"]), below) if match["mixed"] else number / below
    return -number if match["sign"] or match["minus"] else number
