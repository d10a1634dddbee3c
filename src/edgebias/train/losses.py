"""Log-probabilities of answers with their gradient, and the two losses that are made of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.functional import logsigmoid

from edgebias.train.tokens import Example, TokenSequence

PASS_TOKENS = 512
"""Most tokens of one pass through the model, filled up to the longest; a longer example goes alone.

Bounds memory: what a pass keeps for its gradient is 2.5 MB a token of SmolLM2-135M with adapters."""


def log_probabilities(model: Any, sequences: Sequence[TokenSequence]) -> torch.Tensor:
    """Return the summed log-probability (nats) of each sequence's answer given its prompt, (sequences,).

    Shorter sequences are filled up on the right, where no token of theirs looks. The vocabulary is projected from the
    last token of the shortest prompt on.
    """
    longest = max(len(sequence.tokens) for sequence in sequences)
    first = min(sequence.n_prompt for sequence in sequences) - 1
    rows = [[*sequence.tokens, *[0] * (longest - len(sequence.tokens))] for sequence in sequences]
    there = [[1] * len(sequence.tokens) + [0] * (longest - len(sequence.tokens)) for sequence in sequences]
    logits = model(
        input_ids=torch.tensor(rows),
        attention_mask=torch.tensor(there),
        use_cache=False,
        logits_to_keep=torch.arange(first, longest - 1),
    ).logits
    sums = []
    for row, sequence in zip(logits, sequences, strict=True):
        answer = torch.tensor(sequence.tokens[sequence.n_prompt :])
        told = row[sequence.n_prompt - 1 - first : len(sequence.tokens) - 1 - first].log_softmax(-1)
        sums.append(told.gather(1, answer[:, None]).sum())
    return torch.stack(sums)


def margins(answers: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """Return by how much more the chosen answer gained on the untrained build than the rejected one, (examples,).

    Args:
        answers: log-probabilities (examples, 2), chosen first.
        reference: the same in the untrained build.
    """
    gained = answers - reference
    return gained[:, 0] - gained[:, 1]


def preference_loss(answers: torch.Tensor, reference: torch.Tensor, beta: float) -> torch.Tensor:
    """Return the loss of direct preference optimisation of each example, (examples,).

    ``-log sigmoid(beta x margin)``: Rafailov et al. 2023 (arXiv:2305.18290), equation 7; arguments as in `margins`.
    """
    return -logsigmoid(beta * margins(answers, reference))


def loss_and_hits(model: Any, examples: Sequence[Example], beta: float | None) -> tuple[torch.Tensor, int]:
    """Return the summed loss of ``examples``, and how many have a positive margin; divide by `weight`.

    Args:
        model: a causal language model of transformers.
        examples: in one pass.
        beta: of preference tuning; None for the negative log-probability of the answers, which has no margin.
    """
    found = log_probabilities(model, [sequence for example in examples for sequence in example.sequences])
    if beta is None:
        return -found.sum(), 0
    answers = found.reshape(len(examples), 2)
    reference = torch.tensor([example.reference for example in examples], dtype=found.dtype)
    hits = int((margins(answers.detach(), reference) > 0).sum())
    return preference_loss(answers, reference, beta).sum(), hits


def weight(examples: Sequence[Example], beta: float | None) -> int:
    """Return what a summed loss is divided by: the tokens of all answers, or the number of preferences."""
    return sum(example.n_answer for example in examples) if beta is None else len(examples)


def passes(examples: Sequence[Example]) -> Iterator[list[Example]]:
    """Yield the examples in groups for one pass each, those of like length together."""
    group: list[Example] = []
    sequences = 0
    for example in sorted(examples, key=lambda one: one.longest):
        sequences += len(example.sequences)
        if group and example.longest * sequences > PASS_TOKENS:
            yield group
            group, sequences = [], len(example.sequences)
        group.append(example)
    if group:
        yield group
