"""The loop of training: seeded, in an order that follows from the step, with a checkpoint at each evaluation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from edgebias.core.errors import InputError
from edgebias.core.progress import Progress
from edgebias.core.seeds import generator
from edgebias.train.adapter import moving, seed_step
from edgebias.train.checkpoint import State
from edgebias.train.losses import alignment, loss_and_hits, passes, read, weight
from edgebias.train.settings import BETA, TrainSettings
from edgebias.train.tokens import Example
from edgebias.train.trajectory import best_row, is_over

MAX_NORM = 1.0
"""Gradients are scaled down to this norm, as is usual for language models (Pascanu et al. 2013, arXiv:1211.5063)."""


@contextmanager
def deterministic(threads: int) -> Iterator[None]:
    """Let PyTorch compute on ``threads`` threads, the same bytes each time; afterwards all is as before."""
    before, was = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]):
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(was)
            torch.set_num_threads(before)


@dataclass(frozen=True)
class Examples:
    """The examples of both splits."""

    train: Sequence[Example]
    held_out: Sequence[Example]


def beta_of(settings: TrainSettings) -> float | None:
    """Return beta of preference tuning; None of supervised fine-tuning."""
    return None if settings.objective == "response" else settings.beta or BETA


def held_out_loss(model: Any, examples: Sequence[Example], beta: float | None) -> tuple[float, float]:
    """Return the mean loss of ``examples`` and, of preferences, the share with a positive margin (else NaN)."""
    model.eval()
    total, right = 0.0, 0
    with torch.no_grad():
        for group in passes(examples):
            loss, hits = loss_and_hits(model, group, beta)
            total, right = total + float(loss), right + hits
    return total / weight(examples, beta), math.nan if beta is None else right / len(examples)


def batch_of(step: int, count: int, size: int, seed: int) -> list[int]:
    """Return the places of the examples of one step; each pass over all ``count`` has an order of its own.

    A pass ends with a smaller batch where ``size`` does not divide ``count``, so that each example counts once.
    """
    per_pass = math.ceil(count / size)
    first = step % per_pass * size
    return list(_order(step // per_pass, count, seed)[first : first + size])


@lru_cache(maxsize=1)
def _order(number: int, count: int, seed: int) -> tuple[int, ...]:
    return tuple(int(place) for place in generator(seed, "order", str(number)).permutation(count))


def optimise(
    model: Any,
    examples: Examples,
    settings: TrainSettings,
    *,
    resumed: State | None,
    keep: Callable[[State], None],
    clock: Callable[[], float],
) -> State:
    """Train ``model`` until its steps are made, or the held-out loss does not fall any more.

    AdamW with a linear warm-up and a cosine to 0. Of the state that comes back, `State.best` are the weights to take
    where `TrainSettings.patience` is given, else `State.weights`; ``model`` holds the last ones.

    Args:
        model: as `edgebias.train.adapter.trainable` returns it.
        examples: as tokens, with the log-probabilities of the untrained build where the objective needs them.
        settings: how to train.
        resumed: what to go on from.
        keep: writes a checkpoint.
        clock: seconds, those of earlier processes of a resumed job included.

    Raises:
        InputError: a loss is not finite.
    """
    from transformers import get_scheduler

    beta = beta_of(settings)
    weights = moving(model)
    steps = settings.steps_of(len(examples.train))
    optimiser = torch.optim.AdamW(weights.values(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = get_scheduler("cosine", optimiser, num_warmup_steps=settings.warmup, num_training_steps=steps)

    def evaluated(step: int, losses: Sequence[float], tokens: int, rate: float) -> dict[str, Any]:
        loss, accuracy = held_out_loss(model, examples.held_out, beta)
        if not math.isfinite(loss):
            raise InputError(f"train: the held-out loss after step {step} is not finite; lower train.learning_rate")
        return {
            "step": step,
            "train_loss": sum(losses) / len(losses) if losses else math.nan,
            "held_out_loss": loss,
            "held_out_accuracy": accuracy if step else math.nan,
            "learning_rate": rate,
            "tokens": tokens,
        }

    def state(step: int, tokens: int, rows: list[dict[str, Any]], best: dict[str, torch.Tensor] | None) -> State:
        now = {name: parameter.detach() for name, parameter in weights.items()}
        if settings.patience is not None and best_row(rows) == len(rows) - 1:
            best = {name: tensor.clone() for name, tensor in now.items()}
        return State(step, tokens, rows, now, optimiser.state_dict(), schedule.state_dict(), best)

    if resumed is None:
        at = state(0, 0, [evaluated(0, [], 0, math.nan)], None)
        keep(at)
    else:
        at = resumed
        put(model, at.weights)
        optimiser.load_state_dict(at.optimiser)
        schedule.load_state_dict(at.schedule)
    losses: list[float] = []
    tokens = at.tokens
    with Progress("training", steps, "steps", clock) as progress:
        progress.advance(at.step)
        while at.step + len(losses) < steps and not is_over(at.rows, settings.patience):
            step = at.step + len(losses)
            batch = [examples.train[i] for i in batch_of(step, len(examples.train), settings.batch, settings.seed)]
            rate = schedule.get_last_lr()[0]
            seed_step(settings, "step", str(step))
            losses.append(_step(model, batch, settings, optimiser, list(weights.values())))
            if not math.isfinite(losses[-1]):
                raise InputError(f"train: the loss of step {step + 1} is not finite; lower train.learning_rate")
            schedule.step()
            tokens += sum(example.n_answer for example in batch)
            progress.advance()
            if (step + 1) % settings.evaluate_every == 0 or step + 1 == steps:
                at = state(step + 1, tokens, [*at.rows, evaluated(step + 1, losses, tokens, rate)], at.best)
                keep(at)
                losses = []
    return at


def put(model: Any, weights: dict[str, torch.Tensor]) -> None:
    """Put ``weights`` in the place of those that are trained."""
    with torch.no_grad():
        for name, parameter in moving(model).items():
            parameter.copy_(weights[name])


def _step(
    model: Any,
    batch: Sequence[Example],
    settings: TrainSettings,
    optimiser: torch.optim.Optimizer,
    weights: list[torch.nn.Parameter],
) -> float:
    """Make one update; return the loss before it."""
    model.train()
    optimiser.zero_grad(set_to_none=True)
    if settings.align > 0:
        found = aligned_loss(model, batch, settings.align)
        torch.autograd.backward(found)
        total, whole = float(found.detach()), 1
    else:
        beta = beta_of(settings)
        whole, total = weight(batch, beta), 0.0
        for group in passes(batch):
            loss, _ = loss_and_hits(model, group, beta)
            torch.autograd.backward(loss / whole)
            total += float(loss.detach())
    torch.nn.utils.clip_grad_norm_(weights, MAX_NORM)
    optimiser.step()
    return total / whole


def aligned_loss(model: Any, batch: Sequence[Example], align: float) -> torch.Tensor:
    """Return the mean loss of answers (nats a token) and, ``align`` times, the `alignment` of a batch.

    The term joins all examples of the batch, so that the passes of a step are held in memory together.
    """
    answers, states, augmented = [], [], []
    for group in passes(batch):
        found, means = read(model, [sequence for example in group for sequence in example.sequences], states=True)
        assert means is not None
        answers.append(found.sum())
        states.append(means)
        augmented += [bool(example.augmented) for example in group]
    return -torch.stack(answers).sum() / weight(batch, None) + align * alignment(torch.cat(states), augmented)
