"""The condition of conditional activation steering (CAST): which requests a behaviour vector is added for.

Lee et al., ICLR 2025, arXiv 2409.05907, section 3.2, and IBM/activation-steering, which is the authors' code. The
condition vector is the first principal component of mean block outputs of requests that meet the condition and of such
that do not. A request meets it where its own are similar to their projection on that vector; the block, the threshold
and its side are those with the highest F1 on the requests that the vector was found from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edgebias.core.errors import InputError
from edgebias.core.files import read_json
from edgebias.mitigate.probes.linear_probe import Doubles

if TYPE_CHECKING:
    from edgebias.backends.local.llama_engine import LlamaBackend


@dataclass(frozen=True)
class ActivationCondition:
    """Met by a request whose mean output of ``block`` has a `similarity` to ``vector`` (n_embd,) on the right side."""

    vector: Doubles
    block: int
    threshold: float
    above: bool

    def met(self, states: Doubles) -> bool:
        """Return whether one request's mean block outputs, (blocks, n_embd), meet the condition."""
        alike = float(similarity(states[None, self.block], self.vector)[0])
        return alike >= self.threshold if self.above else alike < self.threshold


class ActivationGate:
    """The condition in front of a live build: every request is read once more, unsteered, before it is answered.

    Args:
        build: made with ``capture_hidden``; its control vector is taken away whenever the gate is asked.
        condition: what a request has to meet.
    """

    def __init__(self, build: LlamaBackend, condition: ActivationCondition) -> None:
        self._build, self._condition = build, condition

    def opens(self, tokens: Sequence[int]) -> bool:
        """Return whether requests of these words are steered; without any they are not."""
        return bool(tokens) and self._condition.met(read_states(self._build, tokens))


def similarity(states: Doubles, vector: Doubles) -> Doubles:
    """Return the cosine of each of ``states`` (n, n_embd) and tanh of its projection on ``vector``, (n,).

    Section 3.2 there.

    It is the same of ``h`` and ``-h``: what differs in sign alone cannot be told apart.
    """
    projected = np.tanh(np.outer(states @ vector, vector) / (vector @ vector))
    lengths = np.linalg.norm(states, axis=1) * np.linalg.norm(projected, axis=1)
    along = (states * projected).sum(axis=1)
    found: Doubles = np.divide(along, lengths, out=np.zeros(len(states)), where=lengths > 0)
    return found


def find_activation_condition(wanted: Doubles, unwanted: Doubles) -> tuple[ActivationCondition, float]:
    """Return the condition with the highest F1 of telling ``wanted`` from ``unwanted`` requests, and that F1.

    Args:
        wanted: mean block outputs of requests that should be steered, (requests, blocks, n_embd).
        unwanted: of such that should not.

    Returns:
        Of equal ones the condition of the lowest block.
    """
    found: list[tuple[float, ActivationCondition]] = []
    label = np.repeat([True, False], [len(wanted), len(unwanted)])
    for block in range(wanted.shape[1]):
        states = np.concatenate([wanted[:, block], unwanted[:, block]])
        centre = (wanted[:, block].mean(axis=0) + unwanted[:, block].mean(axis=0)) / 2
        vector = np.linalg.svd(states - centre, full_matrices=False)[2][0]
        alike = similarity(states, vector)
        for above in (True, False):
            score, threshold = _best_threshold(alike, label, above=above)
            found.append((score, ActivationCondition(vector, block, threshold, above)))
    f1, best = max(found, key=lambda one: one[0])  # the first of equal ones
    return best, f1


def _best_threshold(alike: Doubles, label: npt.NDArray[np.bool_], *, above: bool) -> tuple[float, float]:
    """Return the highest F1 of any threshold, and that threshold.

    Half-way between two neighbours, or beyond the last.
    """
    order = np.argsort(-alike if above else alike, kind="stable")
    ranked, hits = alike[order], np.cumsum(label[order])
    f1 = 2 * hits / (np.arange(1, len(label) + 1) + label.sum())
    # Equal similarities are on one side of any threshold.
    f1[:-1][ranked[:-1] == ranked[1:]] = 0.0
    place = int(np.argmax(f1))
    beyond = ranked[-1] - 1.0 if above else ranked[-1] + 1.0
    after = ranked[place + 1] if place + 1 < len(ranked) else beyond
    return float(f1[place]), float((ranked[place] + after) / 2)


def open_activation_gate(path: Path, build: LlamaBackend) -> ActivationGate:
    """Return the condition at ``path`` in front of ``build``, which was made with ``capture_hidden``.

    Raises:
        InputError: there is no such file, or it holds no condition of this model.
    """
    record = read_json(path)
    vector, block = record.get("vector"), record.get("block")
    threshold, above = record.get("threshold"), record.get("above")
    if (
        not isinstance(vector, list)
        or len(vector) != build.n_embd
        or not isinstance(block, int)
        or not 0 <= block < build.n_layer - 1
        or not isinstance(threshold, int | float)
        or not isinstance(above, bool)
    ):
        raise InputError(f"{path}: is no condition of this model; run `edgebias conditional-steering`")
    return ActivationGate(
        build, ActivationCondition(np.array(vector, dtype=np.float64), block, float(threshold), above)
    )


def read_states(build: LlamaBackend, tokens: Sequence[int]) -> Doubles:
    """Mean block outputs of a text, (n_layer - 1, n_embd), with no vector in force."""
    build.set_control_vector(None)
    return build.mean_states(tokens).astype(np.float64)
