"""Ask a backend a list of items: the pure core of the infer stage, which the mitigation stage calls, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from tqdm import tqdm

from edgebias.backends.base import Backend, GenerationRequest, GenerationSettings, OptionRequest, Prompt
from edgebias.errors import InputError
from edgebias.infer.cost import Stopwatch
from edgebias.infer.items import FORMATS, Item
from edgebias.infer.outcome import preferred, read_text
from edgebias.infer.responses import response, response_table
from edgebias.infer.wording import Wording, letter_wording, likelihood_wording

LIKELIHOOD, LETTER = FORMATS


@dataclass(frozen=True)
class AnswerSettings:
    """``seed`` is what the response table records; letters are generated greedily, ``max_new_tokens`` at most."""

    seed: int
    max_new_tokens: int


def possible_formats(backend: Backend, formats: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Split ``formats`` into those that ``backend`` can answer and those that it cannot, with the reason.

    Raises:
        InputError: there is no format of that name.
    """
    possible: list[str] = []
    skipped: dict[str, str] = {}
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"infer.formats: there is no format {name!r}; choose from {list(FORMATS)}")
        if name == LIKELIHOOD and not backend.scores_options:
            skipped[name] = f"backend {backend.name!r} gives no log-probabilities of options"
        else:
            possible.append(name)
    return possible, skipped


def answer_items(
    backend: Backend,
    items: Sequence[Item],
    formats: Sequence[str],
    settings: AnswerSettings,
    instruction: str | None = None,
    stopwatch: Stopwatch | None = None,
) -> pd.DataFrame:
    """Ask every item in every format that the backend can answer, one row each, sorted by item and format.

    Requests run in the order of their prompts, so that neighbours share a prefix; the rows do not depend on it.
    In the format ``letter`` the log-probabilities of the letters are taken from the same prompt as the text.

    Args:
        backend: a loaded model.
        items: what to ask.
        formats: names of answer formats; those that the backend cannot answer are left out (`possible_formats`).
        settings: seed and length of a reply.
        instruction: what a mitigation by instruction puts before every prompt.
        stopwatch: where to note the seconds of each answer.

    Raises:
        InputError: an unknown format, or ``letter`` for items that ask nothing.
    """
    watch = stopwatch or Stopwatch()
    possible, _ = possible_formats(backend, formats)
    wordings = {LIKELIHOOD: likelihood_wording, LETTER: letter_wording}
    asked = [(name, item, wordings[name](item, instruction)) for name in possible for item in items]
    asked.sort(
        key=lambda entry: (FORMATS.index(entry[0]), entry[2].template, _words(entry[2].prompt), entry[1].item_id)
    )
    rows = []
    for name, item, wording in tqdm(asked, desc="answers", unit="answer", mininterval=5, disable=None):
        with watch.timing(name):
            answer = _likelihood if name == LIKELIHOOD else _letter
            rows.append(answer(backend, item, wording, settings))
    return response_table(rows)


def score_letters(backend: Backend, item: Item, wording: Wording) -> tuple[list[float], list[int]]:
    """Log-probability and token count of the letter of each option, in item order; empty where there are none."""
    if not backend.scores_options:
        return [], []
    (scores,) = backend.score([OptionRequest(wording.prompt, wording.continuations)])
    shown = [item.permutation.index(place) for place in range(len(item.options))]
    return [scores.logprobs[letter] for letter in shown], [scores.n_tokens[letter] for letter in shown]


def _likelihood(backend: Backend, item: Item, wording: Wording, settings: AnswerSettings) -> dict[str, object]:
    (scores,) = backend.score([OptionRequest(wording.prompt, wording.continuations)])
    reading = preferred(scores.logprobs, scores.n_tokens, item.roles)
    return response(
        item_id=item.item_id,
        format_name=LIKELIHOOD,
        permutation=range(len(item.options)),
        template=wording.template,
        seed=settings.seed,
        option_logprobs=scores.logprobs,
        n_tokens=scores.n_tokens,
        choice=reading.choice,
        outcome=reading.outcome,
    )


def _letter(backend: Backend, item: Item, wording: Wording, settings: AnswerSettings) -> dict[str, object]:
    logprobs, n_tokens = score_letters(backend, item, wording)
    greedy = GenerationSettings(max_new_tokens=settings.max_new_tokens)
    (generation,) = backend.generate([GenerationRequest(wording.prompt, settings.seed)], greedy)
    reading = read_text(generation.text, item.options, item.roles, item.permutation)
    return response(
        item_id=item.item_id,
        format_name=LETTER,
        permutation=item.permutation,
        template=wording.template,
        seed=settings.seed,
        text=generation.text,
        option_logprobs=logprobs,
        n_tokens=n_tokens,
        choice=reading.choice,
        outcome=reading.outcome,
    )


def _words(prompt: Prompt) -> str:
    """The words of a prompt, for sorting."""
    return prompt.text if prompt.text is not None else "\n".join(message.content for message in prompt.messages)
