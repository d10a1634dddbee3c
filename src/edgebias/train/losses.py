"""Log-probabilities of answers and mean hidden states with their gradient, and the losses that are made of them."""

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
    """Return the summed log-probability (nats) of each sequence's answer given its prompt, (sequences,)."""
    return read(model, sequences)[0]


def read(
    model: Any, sequences: Sequence[TokenSequence], *, states: bool = False
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Read sequences in one pass.

    Shorter sequences are filled up on the right, where no token of theirs looks. The vocabulary is projected from the
    last token of the shortest prompt on.

    Args:
        model: a causal language model of transformers.
        sequences: to read.
        states: whether mean states are wanted, too.

    Returns:
        the summed log-probability (nats) of each answer given its prompt, (sequences,); and the mean of the last hidden
        states over all tokens of each sequence, prompt and answer, (sequences, width), or None.
    """
    longest = max(len(sequence.tokens) for sequence in sequences)
    first = min(sequence.n_prompt for sequence in sequences) - 1
    rows = [[*sequence.tokens, *[0] * (longest - len(sequence.tokens))] for sequence in sequences]
    there = [[1] * len(sequence.tokens) + [0] * (longest - len(sequence.tokens)) for sequence in sequences]
    found = model(
        input_ids=torch.tensor(rows),
        attention_mask=torch.tensor(there),
        use_cache=False,
        logits_to_keep=torch.arange(first, longest - 1),
        output_hidden_states=states,
    )
    sums = []
    for row, sequence in zip(found.logits, sequences, strict=True):
        answer = torch.tensor(sequence.tokens[sequence.n_prompt :])
        told = row[sequence.n_prompt - 1 - first : len(sequence.tokens) - 1 - first].log_softmax(-1)
        sums.append(told.gather(1, answer[:, None]).sum())
    if not states:
        return torch.stack(sums), None
    last = found.hidden_states[-1]
    means = [row[: len(sequence.tokens)].mean(0) for row, sequence in zip(last, sequences, strict=True)]
    return torch.stack(sums), torch.stack(means)


def alignment(states: torch.Tensor, augmented: Sequence[bool]) -> torch.Tensor:
    """Return how far augmented examples lie from original ones: the loss-based term of arXiv:2502.04419.

    ``L = (E_o phi(x, y) - E_a phi(x, y))^2``, with phi the mean of the last hidden states. The square of a vector is
    taken as its mean square over the width, so that one weight suits models of any width.

    Args:
        states: phi of each example, (examples, width).
        augmented: whether a model wrote it, else it is original; where all are of one kind the term is 0.
    """
    kind = torch.tensor(augmented, dtype=torch.bool)
    if bool(kind.all()) or not bool(kind.any()):
        return states.sum() * 0.0
    return (states[~kind].mean(0) - states[kind].mean(0)).square().mean()


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
