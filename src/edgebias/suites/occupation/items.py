"""Which job is masked? Sentences of BUG that no build is trained on (`edgebias.suites.occupation_sentences`)."""

from __future__ import annotations

from pathlib import Path

from edgebias.metrics.answers import OPTION
from edgebias.suites.item import Design, Item
from edgebias.suites.occupation_sentences import JOBS, QUESTION, held_out, read_occupation_sentences


def load(raw_folder: Path) -> list[Item]:
    """Return each sentence that is for asking alone once: `held_out`.

    ``category`` is the gender of the pronoun, ``condition`` the job. The sentence is the cluster; those of a gender
    take turns by job, so that the first ones hold each job equally often, as long as its sentences last.

    Raises:
        InputError: the file is absent or damaged.
    """
    return [
        Item(
            item_id=f"occupation/{sentence.row:06d}",
            suite="occupation",
            category=sentence.gender,
            cluster=f"occupation/{sentence.row:06d}",
            condition=sentence.job,
            context=sentence.masked,
            question=QUESTION,
            options=JOBS,
            roles=(OPTION,) * len(JOBS),
            permutation=tuple(range(len(JOBS))),
            label=JOBS.index(sentence.job),
            source=sentence.source,
            design=Design(block="sentence", stratum=sentence.job),
        )
        for sentence in read_occupation_sentences(raw_folder)
        if held_out(sentence.text)
    ]
