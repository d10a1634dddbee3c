"""Letters over a balanced set of orders: an answer that a place on the page cannot decide.

Language models prefer some letters whatever these show (Zheng et al., ICLR 2024, arXiv 2309.03882). That paper models
it as a prior of the letter times a preference for the option. So the log-probability of the letter at place ``p`` that
shows option ``o`` is ``u(o) + b(p) - z``, where ``z`` is the same for all letters of one order.

Over the cyclic orders each option stands at each place once, so that the mean of its log-probabilities is ``u(o)`` plus
a constant. They suffice where a bias adds to the log-probability of a place: it cancels exactly, however large it is.
They do not suffice for real models. Of two people among three options, one comes before the other in two of the three
cyclic orders, and SmolLM2-135M-Instruct gives that one 0.08 nats more (96 items of BBQ, standard error 0.01). It chose
the same option in the cyclic orders and in their reversals in 27 items, Qwen2.5-Coder-0.5B-Instruct in 53. So both are
asked: all orders of up to three options, ``2 n`` of more.

The paper's own average over orders is one of probabilities, in which such a bias cancels in part only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgebias.core.files import FLOAT_DECIMALS
from edgebias.infer.outcome import UNRELATED, Reading
from edgebias.infer.outcome.reading import NOTHING, chosen
from edgebias.suites.item import Item

BY_LOGPROBS, BY_MAJORITY = "+balanced_logprobs", "+balanced_majority"
"""Endings of a wording's name: what decides over the orders. Answers with different endings are never paired."""


def in_balanced_orders(item: Item) -> list[Item]:
    """Return ``item`` in the cyclic orders of its options and their reversals, its own order first.

    Each option stands at each place equally often, and before each other option as often as after it. Neighbours begin
    alike, so that a backend reads what they share once.
    """
    own = item.permutation
    cyclic = [own[first:] + own[:first] for first in range(len(own))]
    orders = {*cyclic, *(order[::-1] for order in cyclic)}
    by_own_places = sorted(orders, key=lambda order: tuple(map(own.index, order)))
    return [replace(item, permutation=order) for order in by_own_places]


def mean_logprobs(in_orders: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean log-probability (nats) of each option's letter over orders, in item order.

    Those of one order are first renormalised over the letters shown. That takes the same number from each, and so
    changes no difference between options. An order in which no letter is possible prefers none.

    Args:
        in_orders: shape (orders, options): the log-probability of the letter of each option, in item order.
    """
    logprobs = np.asarray(in_orders, dtype=np.float64)
    logprobs[~np.isfinite(logprobs).any(axis=1)] = 0.0
    shares = logprobs - np.logaddexp.reduce(logprobs, axis=1, keepdims=True)
    return [float(mean) for mean in np.minimum(shares.mean(axis=0), 0.0)]


def read_logprobs(means: Sequence[float], roles: Sequence[str]) -> Reading:
    """Return the option whose letter has the largest mean log-probability, ``unrelated`` options aside.

    Nothing where two are equal to the last digit of a table: who decides by place alone prefers none.
    """
    rounded = np.round(means, FLOAT_DECIMALS)
    candidates = [place for place, role in enumerate(roles) if role != UNRELATED]
    largest = max(rounded[candidates])
    best = [place for place in candidates if rounded[place] == largest]
    return chosen(best[0], roles) if len(best) == 1 else NOTHING


def majority(readings: Sequence[Reading]) -> Reading:
    """Return what more than half of the orders were taken to say; nothing where there is no such reading."""
    reading, count = Counter(readings).most_common(1)[0]
    return reading if 2 * count > len(readings) else NOTHING


def replies_as_text(texts: Sequence[str]) -> str:
    """Return the replies in all orders as one text: a JSON list."""
    return json.dumps(list(texts), ensure_ascii=False)
