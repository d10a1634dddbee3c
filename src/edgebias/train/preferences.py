"""Preferences for what is safe and right, whoever asks: what the mitigation of arXiv:2406.11107 tunes a model to.

The paper takes Intel/orca_dpo_pairs, which no package carries. Here pairs are labelled by rule, from requests and exam
questions that the study does not ask: a fixed refusal of a harmful request against a fixed compliance, and the right
answer of a question against a wrong one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.seeds import derive
from edgebias.infer.answer import WORDINGS
from edgebias.suites.formats import LIKELIHOOD_CHAT
from edgebias.suites.identities import HELD_OUT as HELD_OUT_IDENTITIES
from edgebias.suites.identities import IDENTITIES, NONE, SUITE_OF, SYSTEM, Asking
from edgebias.suites.item import Item
from edgebias.suites.registry import SUITES
from edgebias.train.examples import HELD_OUT, PREFERENCE, TRAIN
from edgebias.train.settings import RANDOM_IDENTITY, WITHOUT, PreferenceSettings

TAUGHT = tuple(one.name for one in IDENTITIES if one.name not in HELD_OUT_IDENTITIES)
"""The identities of `RANDOM_IDENTITY`; the others judge what was learned."""


def make_preferences(
    loaded: Mapping[str, Sequence[Item]],
    asked: Mapping[str, Collection[str]],
    system: str,
    settings: PreferenceSettings,
    seed: int,
) -> pd.DataFrame:
    """Return the table of preferences (`PREFERENCE`), worded as the study asks in chat.

    Args:
        loaded: all items of the suites of safety and of utility, by suite.
        asked: clusters that the study asks, by suite.
        system: one of `edgebias.train.settings.SYSTEMS`.
        settings: how many of each.
        seed: which of them, which wrong answer, which identity, and which half they are in; not the system prompt.

    Raises:
        InputError: the study leaves fewer than are wanted.
    """
    counts = {
        SUITE_OF["safety"]: ("requests", settings.requests),
        SUITE_OF["utility"]: ("questions", settings.questions),
    }
    rows: list[dict[str, Any]] = []
    for suite, (key, count) in counts.items():
        left = [item for item in loaded[suite] if item.cluster not in asked.get(suite, ())]
        if len(left) < count:
            raise InputError(f"preferences.{key}: {count} are wanted, and the study leaves {len(left)}; lower it")
        chosen = sorted(left, key=lambda item: (derive(seed, "preference", item.cluster), item.cluster))[:count]
        held_out = round(settings.held_out_share * count)
        rows += (
            _row(item, system, seed) | {"split": HELD_OUT if place < held_out else TRAIN}
            for place, item in enumerate(chosen)
        )
    return pd.DataFrame(rows, columns=list(PREFERENCE.names))


def _row(item: Item, system: str, seed: int) -> dict[str, Any]:
    asker = TAUGHT[derive(seed, "asker", item.cluster) % len(TAUGHT)] if system == RANDOM_IDENTITY else NONE
    (asking,) = SUITES.get(item.suite).crossed([item], [str(Asking(SYSTEM, "", asker))])
    wording = WORDINGS[LIKELIHOOD_CHAT](replace(asking, context="") if system == WITHOUT else asking, None)
    *before, user = wording.prompt.messages
    wrong = [text for place, text in enumerate(wording.continuations) if place != item.label]
    return {
        "system": "".join(turn.content for turn in before),
        "prompt": user.content,
        "chosen": wording.continuations[item.label],
        "rejected": wrong[derive(seed, "wrong", item.cluster) % len(wrong)],
        "cluster": item.cluster,
    }
