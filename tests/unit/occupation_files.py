"""Sentences about people at work, laid out as their carrier has them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from edgebias.suites.occupation_sentences import JOBS, MORE_SWAPS, NAMES, SENTENCES, SWAPS

Row = tuple[str, str, str]
"""A sentence, its profession and its pronoun."""


PLACES = ["river", "market", "harbour", "garden", "village", "station", "castle", "forest", "bridge", "island", "quay"]
COUNT = len(PLACES)
ENDS = ("ana", "eni", "omo")


def occupation_rows(women: int = 12, men: int = 12) -> list[Row]:
    """Sentences of every job: so many with a female and with a male pronoun, no two alike."""
    return [
        (
            f"Near the {first} and the {PLACES[place // COUNT]} , a {job} said that {pronoun} had work to do .",
            job,
            pronoun,
        )
        for job in JOBS
        for pronoun, count in (("she", women), ("he", men))
        for place, first in zip(range(count), PLACES * COUNT, strict=False)
    ]


def write_sentences(folder: Path, rows: list[Row]) -> Path:
    """Write a table of sentences with the columns that are read, and one that is not."""
    stream = io.StringIO(newline="")
    table = csv.writer(stream, lineterminator="\r\n")
    table.writerow(["", "sentence_text", "profession", "g", "corpus"])
    table.writerows([place, *row, "wikipedia"] for place, row in enumerate(rows))
    return _write(folder / SENTENCES.path, stream.getvalue())


def write_names_and_words(folder: Path) -> None:
    """Write a few names and gendered words."""
    groups = ("Arab", "Asian", "Black", "Latino", "White")
    names = [f"{sex}{group}{end},first,{sex},{group},x,y" for group in groups for sex in "FM" for end in ENDS]
    names += [f"{sex}Any{end},first_only,{sex},,x,y" for sex in "FM" for end in ENDS]
    names += [f"Last{group}{end},last,,{group},x,y" for group in groups for end in ENDS]
    _write(folder / NAMES.path, "\n".join(["Name,First_last,gender,ethnicity,source,info", *names]))
    _write(folder / SWAPS.path, "actor \t actress \nwoman\tman\n")
    _write(folder / MORE_SWAPS.path, "tailor\tseamstress'\n")


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path
