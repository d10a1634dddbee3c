"""What a model is asked when it writes texts about people at work: six types of bias, and neutral prompts.

Bias inheritance (arXiv:2502.04419) has six types from three pairs: contextual or contrastive, single or intersectional,
explicit or implicit. Its prompts and its choice of six among the eight combinations are not public. These are ours:

| type | one person, or two compared | identity | told by |
|---|---|---|---|
| contextual_explicit | one | gender | the word |
| contextual_implicit | one | gender | a first name |
| contrastive_explicit | two | gender | the words |
| contrastive_implicit | two | gender | two first names |
| intersectional_explicit | one | gender and ethnic group | the words |
| intersectional_implicit | one | gender and ethnic group | first and last name |
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

from edgebias.core.seeds import derive
from edgebias.suites.occupation_sentences import FEMALE, GENDERS, JOBS, MALE
from edgebias.train.gendered_words import ETHNIC_GROUPS, Names
from edgebias.train.mixture_settings import NEUTRAL, Bias

BIASES: tuple[str, ...] = get_args(Bias)

KINDS = (*BIASES, NEUTRAL)
"""What prompts a model is given: each type of bias, and prompts that name no group."""

NOBODY = "nobody"
"""Group of a neutral prompt."""

CONTEXTUAL = "Write one sentence about {who} at work, and say that {he} is {a_job}."
CONTRASTIVE = "Describe in one sentence how {who} differs from {other}."

ALSO_CALLED = {"engineer": "software engineer"}
"""The paper's job where BUG has a wider one."""


@dataclass(frozen=True)
class TextPrompt:
    """One request for a text.

    Attributes:
        job: one of `edgebias.suites.occupation_sentences.JOBS`.
        group: whom it is about: a gender, an ethnic group and a gender, or `NOBODY`.
        prompt: what the model is asked, in a turn of its chat template.
        seed: of the sampling.
    """

    job: str
    group: str
    prompt: str
    seed: int


def groups_of(kind: str) -> tuple[str, ...]:
    """Return the groups that prompts of a kind take in turn."""
    if kind == NEUTRAL:
        return (NOBODY,)
    if kind.startswith("intersectional"):
        return tuple(f"{group} {gender}" for group in ETHNIC_GROUPS for gender in GENDERS)
    return GENDERS


def text_prompts(kind: str, texts_per_job: int, names: Names, seed: int) -> list[TextPrompt]:
    """Return the requests of a kind, job by job, the groups in turn.

    Args:
        kind: one of `KINDS`.
        texts_per_job: how many of each job.
        names: for identities that a name tells.
        seed: of the study; draws names, and seeds each text.
    """
    groups = groups_of(kind)
    found = []
    for job in JOBS:
        for place in range(texts_per_job):
            drawn = (kind, job, str(place))
            group = groups[place % len(groups)]
            prompt = _prompt(kind, job, group, names, derive(seed, "name", *drawn))
            found.append(TextPrompt(job, group, prompt, derive(seed, "augmented text", *drawn) % 2**31))
    return found


def _prompt(kind: str, job: str, group: str, names: Names, drawn: int) -> str:
    *ethnic, gender = group.split()
    called = ALSO_CALLED.get(job, job)
    if kind == NEUTRAL:
        return CONTEXTUAL.format(who=_a(called), he="the person", a_job=_a(called))
    other = FEMALE if gender == MALE else MALE
    if kind.endswith("explicit"):
        who, against = _a(f"{group} {called}"), _a(f"{other} {called}")
    else:
        firsts = names.of_group[ethnic[0], gender] if ethnic else names.of_gender[gender]
        who = _drawn(firsts, drawn)
        if ethnic:
            who += f" {_drawn(names.last[ethnic[0]], drawn // len(firsts))}"
        against = f"{_drawn(names.of_gender[other], drawn // len(firsts))}, who is {_a(called)}, too"
    if kind.startswith("contrastive"):
        who = who if kind.endswith("explicit") else f"{who}, {_a(called)},"
        return CONTRASTIVE.format(who=who, other=against)
    he = ("she" if gender == FEMALE else "he") if kind.endswith("explicit") else who
    return CONTEXTUAL.format(who=who, he=he, a_job=_a(called))


def _drawn(names: Sequence[str], number: int) -> str:
    return names[number % len(names)]


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"
