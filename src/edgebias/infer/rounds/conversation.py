"""Conversations: each round sees the model's own earlier answers."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgebias.backends.base import Backend, ContextError, GenerationRequest, GenerationSettings, Message, Prompt
from edgebias.backends.store.journal import Journal
from edgebias.core.progress import Progress
from edgebias.infer.cost import Stopwatch
from edgebias.infer.outcome import read_text
from edgebias.infer.responses import response
from edgebias.infer.wording import letter_rule, lettered_question
from edgebias.suites.formats import LETTER
from edgebias.suites.item import Item

MODE = "conversation"

TEMPLATE = "letter_conversation_v1"
"""The rule once, at the head of the first user turn that is kept; then question, answer, question, answer ..."""

MOST_REPLY_TOKENS = 2
"""A letter and its bracket. What a small model samples after the letter is noise that it would read again in every
later round, and writing it would cost more than reading the question."""

_ORDER_OF_ITEMS, _SAMPLING = 1, 2
"""Streams of the seed; stream 0 belongs to the independent rounds."""


@dataclass(frozen=True)
class Exchange:
    """A question as it was shown and what the model replied."""

    question: str
    reply: str


@dataclass(frozen=True)
class ConversationPlan:
    """How many conversations of how many rounds; ``window`` is the number of exchanges that a round still sees."""

    conversations: int
    rounds: int
    window: int
    temperature: float
    max_new_tokens: int
    seed: int


def asked_items(items: Sequence[Item], plan: ConversationPlan, conversation: int) -> list[Item]:
    """Return the items of one conversation in order: drawn without replacement, and anew once all were asked.

    They depend on the seed and the conversation alone, so every environment asks the same.
    """
    generator = np.random.default_rng(np.random.SeedSequence([plan.seed, _ORDER_OF_ITEMS, conversation]))
    drawn: list[Item] = []
    while len(drawn) < plan.rounds:
        drawn += [items[place] for place in generator.permutation(len(items))]
    return drawn[: plan.rounds]


def sampling_seed(seed: int, conversation: int, round_number: int) -> int:
    """Return the seed with which one round is sampled: 31 bits, which every backend takes."""
    sequence = np.random.SeedSequence([seed, _SAMPLING, conversation, round_number])
    return int(sequence.generate_state(1)[0] >> 1)


def conversation_prompt(history: Sequence[Exchange], question: str, n_options: int) -> Prompt:
    """Return the chat that ends in ``question``; the rule for ``n_options`` stands before the oldest turn kept."""
    turns: list[Message] = []
    for exchange in history:
        turns += [Message("user", exchange.question), Message("assistant", exchange.reply)]
    turns.append(Message("user", question))
    turns[0] = Message("user", f"{letter_rule(n_options)}\n\n{turns[0].content}")
    return Prompt(messages=tuple(turns))


def conversation_rounds(
    backend: Backend,
    items: Sequence[Item],
    plan: ConversationPlan,
    stopwatch: Stopwatch,
    journal: Journal | None = None,
) -> tuple[list[dict[str, object]], int]:
    """Hold all conversations of ``plan``; replies are sampled and stay in the history as the model wrote them.

    A round sees the last ``plan.window`` exchanges, fewer where they do not fit in the context. A reply has at most
    `MOST_REPLY_TOKENS` tokens. Conversations are held one after another: a local backend keeps what it has read, so
    that a round costs its new tokens only. It forgets between conversations, so that one that is in ``journal`` can be
    taken from there whole; one that was broken off is held again.

    Returns:
        The rows, and how many times an exchange within the window had to be dropped for lack of context.
    """
    rows: list[dict[str, object]] = []
    dropped = 0
    total = plan.conversations * plan.rounds
    with Progress("rounds", total, "rounds", stopwatch.clock) as progress:
        for conversation in range(plan.conversations):
            asked = asked_items(items, plan, conversation)
            with stopwatch.timing(MODE, len(asked)):
                replies = _replies(backend, asked, plan, conversation, progress, journal)
            for number, (item, (text, lost)) in enumerate(zip(asked, replies, strict=True), start=1):
                dropped += lost
                reading = read_text(text, item.options, item.roles, item.permutation, question=item.question)
                row = response(
                    item_id=item.item_id,
                    format_name=LETTER,
                    permutation=item.permutation,
                    template=TEMPLATE,
                    round_number=number,
                    seed=sampling_seed(plan.seed, conversation, number),
                    text=text,
                    choice=reading.choice,
                    outcome=reading.outcome,
                )
                rows.append({**row, "mode": MODE, "conversation": conversation})
    return rows, dropped


def _replies(
    backend: Backend,
    asked: Sequence[Item],
    plan: ConversationPlan,
    conversation: int,
    progress: Progress,
    journal: Journal | None,
) -> list[tuple[str, int]]:
    """Return the reply of each round of one conversation, and how many exchanges were dropped for it."""
    key = f"{MODE}-{conversation}"
    for kept in journal.recall(key) if journal is not None else ():
        progress.advance(len(kept))
        return [(text, lost) for text, lost in kept]
    started = time.perf_counter()
    settings = GenerationSettings(min(plan.max_new_tokens, MOST_REPLY_TOKENS), plan.temperature)
    history: deque[Exchange] = deque(maxlen=plan.window)
    replies: list[tuple[str, int]] = []
    backend.forget()
    for number, item in enumerate(asked, start=1):
        replies.append(_reply(backend, history, item, sampling_seed(plan.seed, conversation, number), settings))
        history.append(Exchange(lettered_question(item), replies[-1][0].strip()))
        progress.advance()
    if journal is not None:
        journal.keep(key, time.perf_counter() - started, replies, count=len(replies))
    return replies


def _reply(
    backend: Backend, history: deque[Exchange], item: Item, seed: int, settings: GenerationSettings
) -> tuple[str, int]:
    """Generate one reply; drop the oldest exchanges from ``history`` until the chat fits, and count them."""
    lost = 0
    while True:
        request = GenerationRequest(conversation_prompt(history, lettered_question(item), len(item.options)), seed)
        try:
            (generation,) = backend.generate([request], settings)
        except ContextError:
            if not history:
                raise
            history.popleft()
            lost += 1
        else:
            return generation.text, lost
