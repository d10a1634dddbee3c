"""Ask a backend a list of items: the pure core of the infer stage, which the mitigation stage calls, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from edgebias.backends.base import (
    Backend,
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
    Prompt,
)
from edgebias.core.errors import InputError
from edgebias.core.progress import watched
from edgebias.core.seeds import derive
from edgebias.infer.balance import (
    BY_LOGPROBS,
    BY_MAJORITY,
    in_balanced_orders,
    majority,
    mean_logprobs,
    read_logprobs,
    replies_as_text,
)
from edgebias.infer.cost import Stopwatch
from edgebias.infer.outcome import Reading, preferred, read_continuation, read_text
from edgebias.infer.responses import response, response_table
from edgebias.infer.shared_tokens import shared_logprobs
from edgebias.infer.solutions import NOT_READ, check_programs, read_solutions
from edgebias.infer.wording import (
    Wording,
    chat_likelihood_wording,
    continuation_wording,
    letter_wording,
    likelihood_wording,
    open_wording,
    option_text_wording,
    solution_wording,
)
from edgebias.suites.formats import (
    CONTINUATION,
    FORMATS,
    LETTER,
    LETTER_BALANCED,
    LIKELIHOOD,
    LIKELIHOOD_CHAT,
    OPEN,
    OPTION_TEXT,
    SOLUTION,
    UNWRITTEN,
)
from edgebias.suites.item import Item
from edgebias.suites.registry import SUITES

WORDINGS: dict[str, Callable[[Item, str | None], Wording]] = {
    LIKELIHOOD: likelihood_wording,
    LIKELIHOOD_CHAT: chat_likelihood_wording,
    LETTER: letter_wording,
    LETTER_BALANCED: letter_wording,
    OPTION_TEXT: option_text_wording,
    OPEN: open_wording,
    SOLUTION: solution_wording,
    CONTINUATION: continuation_wording,
}
"""How an item is worded in each format, with an instruction before it or None."""


@dataclass(frozen=True)
class ContinuationSettings:
    """How texts are continued: ``draws`` times each, sampled at ``temperature`` (greedy at 0)."""

    max_new_tokens: int
    temperature: float
    draws: int


@dataclass(frozen=True)
class AnswerSettings:
    """``seed`` is what the response table records; replies are generated greedily.

    A continuation records a seed of its own, which it was sampled with; it is hashed from ``seed``, item and draw.

    Attributes:
        seed: recorded with every response.
        max_new_tokens: the longest reply in the formats ``letter`` and ``letter_balanced``, in tokens.
        max_new_tokens_text: the longest reply in ``option_text`` and ``open``, whose answers are phrases or a sentence.
        max_new_tokens_solution: the longest reply in ``solution``.
        run_programs: whether programs among the solutions are run.
        continuation: how texts of open suites are continued; None where none are.
    """

    seed: int
    max_new_tokens: int
    max_new_tokens_text: int = 24
    max_new_tokens_solution: int = 256
    run_programs: bool = False
    continuation: ContinuationSettings | None = None


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
        if name in UNWRITTEN and not backend.scores_options:
            skipped[name] = f"backend {backend.name!r} gives no log-probabilities of options"
        elif name == CONTINUATION and not backend.scores_options:
            skipped[name] = f"backend {backend.name!r} is a chat endpoint: it takes no plain text to continue"
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

    The requests of a format go to the backend as one list in the order of their prompts, whatever the order of
    ``items``: neighbours share a prefix, which a backend evaluates once. In the format ``letter`` the log-probabilities
    of the letters are those of the first thing written; ``option_text`` and ``open`` have a text and no
    log-probabilities, as does ``solution``. Its texts are read when all are there: a suite may run them as programs,
    which is no part of the time of an answer. ``letter_balanced`` asks an item in a balanced set of orders and makes
    one answer of them (`edgebias.infer.balance`): from the log-probabilities of the letters where every order has them,
    else from the letters written.

    Args:
        backend: a loaded model.
        items: what to ask.
        formats: names of answer formats; those that the backend cannot answer are left out (`possible_formats`).
        settings: seed and length of a reply.
        instruction: what a mitigation by instruction puts before every prompt.
        stopwatch: where to note seconds and answers of each format.

    Raises:
        InputError: an unknown format, one other than ``likelihood`` for items that ask nothing, a format with options
            for items that have none or the reverse, ``continuation`` without its settings, or programs that must
            not run.
    """
    watch = stopwatch or Stopwatch()
    possible, _ = possible_formats(backend, formats)
    rows: list[dict[str, object]] = []
    for name in (name for name in FORMATS if name in possible):
        _check_options(items, name)
        if name == SOLUTION:
            check_programs(items, allowed=settings.run_programs)
        asked = [(item, WORDINGS[name](item, instruction)) for item in items]
        asked.sort(key=lambda entry: (entry[1].template, _words(entry[1].prompt), entry[0].item_id))
        n_answers = len(asked) * (_continuation_settings(settings).draws if name == CONTINUATION else 1)
        with watch.timing(name, n_answers):
            answers = _ask(backend, asked, settings, name, instruction)
            found = list(watched(answers, name, n_answers, watch.clock))
        rows += read_solutions([item for item, _ in asked], found) if name == SOLUTION else found
    return response_table(rows)


def letters_in_item_order(item: Item, scores: OptionScores | None) -> tuple[list[float], list[int]]:
    """Return the log-probability and token count of the letter of each option, in item order.

    Empty where there are none.

    ``scores`` are those of the letters as shown, A first.
    """
    if scores is None:
        return [], []
    shown = [item.permutation.index(place) for place in range(len(item.options))]
    return [scores.logprobs[letter] for letter in shown], [scores.n_tokens[letter] for letter in shown]


def _ask(
    backend: Backend,
    asked: Sequence[tuple[Item, Wording]],
    settings: AnswerSettings,
    format_name: str,
    instruction: str | None,
) -> Iterator[dict[str, object]]:
    if format_name in UNWRITTEN:
        return _likelihoods(backend, asked, settings, format_name)
    if format_name == LETTER_BALANCED:
        return _balanced(backend, asked, settings, instruction)
    if format_name == CONTINUATION:
        return _continuations(backend, asked, settings)
    return _replies(backend, asked, settings, format_name)


def _likelihoods(
    backend: Backend, asked: Sequence[tuple[Item, Wording]], settings: AnswerSettings, format_name: str
) -> Iterator[dict[str, object]]:
    requests = [OptionRequest(wording.prompt, wording.continuations) for _, wording in asked]
    for (item, wording), scores in zip(asked, backend.score(requests), strict=True):
        yield _likelihood(item, wording, scores, settings, format_name)


def _replies(
    backend: Backend, asked: Sequence[tuple[Item, Wording]], settings: AnswerSettings, format_name: str
) -> Iterator[dict[str, object]]:
    requests = [GenerationRequest(wording.prompt, settings.seed, wording.continuations) for _, wording in asked]
    lengths = {LETTER: settings.max_new_tokens, SOLUTION: settings.max_new_tokens_solution}
    greedy = GenerationSettings(max_new_tokens=lengths.get(format_name, settings.max_new_tokens_text))
    for (item, wording), generation in zip(asked, backend.generate(requests, greedy), strict=True):
        yield _reply(item, wording, generation, settings, format_name)


def _balanced(
    backend: Backend, asked: Sequence[tuple[Item, Wording]], settings: AnswerSettings, instruction: str | None
) -> Iterator[dict[str, object]]:
    """Yield one row for each item, from its letters in all orders, which are asked one after another."""
    orders = [in_balanced_orders(item) for item, _ in asked]
    prompts = [letter_wording(item, instruction) for of_item in orders for item in of_item]
    answers = _letters(backend, prompts, settings)
    for (item, wording), of_item in zip(asked, orders, strict=True):
        yield _balanced_row(item, wording, of_item, [next(answers) for _ in of_item], settings)


def _letters(backend: Backend, wordings: Sequence[Wording], settings: AnswerSettings) -> Iterator[Generation]:
    """Yield the letter scores of each wording; with what was written where letters cannot be scored unwritten."""
    if backend.scores_options:
        scored = [OptionRequest(wording.prompt, wording.continuations) for wording in wordings]
        return (Generation("", 0, scores) for scores in backend.score(scored))
    written = [GenerationRequest(wording.prompt, settings.seed, wording.continuations) for wording in wordings]
    return backend.generate(written, GenerationSettings(max_new_tokens=settings.max_new_tokens))


def _balanced_row(
    item: Item, wording: Wording, orders: Sequence[Item], answers: Sequence[Generation], settings: AnswerSettings
) -> dict[str, object]:
    letters = [letters_in_item_order(shown, answer.scores) for shown, answer in zip(orders, answers, strict=True)]
    means: list[float] = []
    if all(logprobs for logprobs, _ in letters):
        means = mean_logprobs([logprobs for logprobs, _ in letters])
        reading, decided = read_logprobs(means, item.roles), BY_LOGPROBS
    else:
        reading, decided = majority([_read(*pair) for pair in zip(orders, answers, strict=True)]), BY_MAJORITY
    texts = [answer.text for answer in answers]
    return response(
        item_id=item.item_id,
        format_name=LETTER_BALANCED,
        permutation=item.permutation,
        template=wording.template + decided,
        seed=settings.seed,
        text=replies_as_text(texts) if any(texts) else "",
        option_logprobs=means,
        n_tokens=letters[0][1] if means else (),
        choice=reading.choice,
        outcome=reading.outcome,
    )


def _continuations(
    backend: Backend, asked: Sequence[tuple[Item, Wording]], settings: AnswerSettings
) -> Iterator[dict[str, object]]:
    how = _continuation_settings(settings)
    # The draws of one prompt are neighbours, so that a backend evaluates the prompt once.
    drawn = [(item, wording, draw) for item, wording in asked for draw in range(how.draws)]
    seeds = [derive(settings.seed, item.item_id, str(draw)) % 2**31 for item, _, draw in drawn]
    requests = [GenerationRequest(wording.prompt, seed) for (_, wording, _), seed in zip(drawn, seeds, strict=True)]
    sampled = GenerationSettings(max_new_tokens=how.max_new_tokens, temperature=how.temperature)
    generations = backend.generate(requests, sampled)
    for (item, wording, draw), seed, generation in zip(drawn, seeds, generations, strict=True):
        reading = read_continuation(generation.text)
        yield response(
            item_id=item.item_id,
            format_name=CONTINUATION,
            permutation=(),
            template=wording.template,
            seed=seed,
            round_number=draw,
            text=generation.text,
            choice=reading.choice,
            outcome=reading.outcome,
        )


def _continuation_settings(settings: AnswerSettings) -> ContinuationSettings:
    if settings.continuation is None:
        raise InputError("infer.max_new_tokens_continuation: is missing, and the format 'continuation' needs it")
    return settings.continuation


def _check_options(items: Sequence[Item], name: str) -> None:
    """Refuse a format that does not fit the items: only texts without options are continued, and they only so."""
    for item in items:
        if bool(item.options) == (name == CONTINUATION):
            needs = "items without options (an open suite)" if name == CONTINUATION else "items with options"
            raise InputError(f"infer.formats.{item.suite}: {name!r} needs {needs}; {item.item_id!r} is none; change it")


def _likelihood(
    item: Item, wording: Wording, scores: OptionScores, settings: AnswerSettings, format_name: str
) -> dict[str, object]:
    reading = preferred(scores.logprobs, scores.n_tokens, item.roles)
    return response(
        item_id=item.item_id,
        format_name=format_name,
        permutation=range(len(item.options)),
        template=wording.template,
        seed=settings.seed,
        option_logprobs=scores.logprobs,
        n_tokens=scores.n_tokens,
        shared_logprobs=shared_logprobs(scores) if SUITES.get(item.suite).pairs_of_sentences else (),
        choice=reading.choice,
        outcome=reading.outcome,
    )


def _reply(
    item: Item, wording: Wording, generation: Generation, settings: AnswerSettings, format_name: str
) -> dict[str, object]:
    lettered = format_name == LETTER
    logprobs, n_tokens = letters_in_item_order(item, generation.scores if lettered else None)
    reading = NOT_READ if format_name == SOLUTION else _read(item, generation, lettered=lettered)
    return response(
        item_id=item.item_id,
        format_name=format_name,
        permutation=range(len(item.options)) if format_name in (OPEN, SOLUTION) else item.permutation,
        template=wording.template,
        seed=settings.seed,
        text=generation.text,
        option_logprobs=logprobs,
        n_tokens=n_tokens,
        choice=reading.choice,
        outcome=reading.outcome,
    )


def _read(item: Item, generation: Generation, *, lettered: bool = True) -> Reading:
    return read_text(
        generation.text, item.options, item.roles, item.permutation, lettered=lettered, question=item.question
    )


def _words(prompt: Prompt) -> str:
    """Return the words of a prompt, for sorting."""
    return prompt.text if prompt.text is not None else "\n".join(message.content for message in prompt.messages)
