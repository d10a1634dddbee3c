"""Independent rounds: the same prompts again, with no memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgebias.backends.base import Backend, OptionRequest
from edgebias.infer.answer import letters_in_item_order
from edgebias.infer.cost import Stopwatch
from edgebias.infer.responses import response
from edgebias.infer.wording import letter_wording
from edgebias.suites.formats import LETTER, LETTERS
from edgebias.suites.item import Item

MODE = "independent"
NO_CONVERSATION = -1


def letter_probabilities(logprobs: Sequence[float], temperature: float) -> NDArray[np.float64]:
    """Return the probabilities of the letters given that the reply is one of them.

    Softmax of ``logprobs / temperature``.
    """
    scaled = np.asarray(logprobs, dtype=np.float64) / temperature
    weights = np.exp(scaled - scaled.max())
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def independent_rounds(
    backend: Backend, items: Sequence[Item], n_rounds: int, temperature: float, seed: int, stopwatch: Stopwatch
) -> tuple[list[dict[str, object]], float | None]:
    """Draw ``n_rounds`` answers of a model that remembers nothing.

    A prompt that never changes has one answer distribution, so asking 1,500 times measures it no better than reading
    it once. Each item is therefore scored once, and the rounds are *drawn* (seeded) from the probabilities of its
    letters, renormalised over the letters shown; replies that are no letter cannot occur here. Round ``t`` asks item
    ``t`` of an order that the seed fixes, from the beginning again when all items were asked.

    Returns:
        The rows, and the mean probability that the model itself gives to the letters shown (at temperature 1): what
        the renormalisation leaves out is one minus it. None where no round was asked for.
    """
    if n_rounds == 0:
        return [], None
    generator = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    order = [items[place] for place in generator.permutation(len(items))][:n_rounds]
    wordings = [letter_wording(item) for item in order]
    with stopwatch.timing(MODE, len(order)):
        answers = list(backend.score([OptionRequest(wording.prompt, wording.continuations) for wording in wordings]))
    scored = {}
    for item, wording, scores in zip(order, wordings, answers, strict=True):
        logprobs, n_tokens = letters_in_item_order(item, scores)
        scored[item.item_id] = (wording.template, logprobs, n_tokens, letter_probabilities(logprobs, temperature))
    rows = []
    for number in range(1, n_rounds + 1):
        item = order[(number - 1) % len(order)]
        template, logprobs, n_tokens, probabilities = scored[item.item_id]
        choice = int(generator.choice(len(item.options), p=probabilities))
        row = response(
            item_id=item.item_id,
            format_name=LETTER,
            permutation=item.permutation,
            template=template,
            round_number=number,
            seed=seed,
            text=LETTERS[item.permutation.index(choice)],
            option_logprobs=logprobs,
            n_tokens=n_tokens,
            choice=choice,
            outcome=item.roles[choice],
        )
        rows.append({**row, "mode": MODE, "conversation": NO_CONVERSATION})
    letter_mass = float(np.mean([np.exp(logprobs).sum() for _, logprobs, _, _ in scored.values()]))
    return rows, letter_mass
