"""One unit direction per layer that points from stereotype-consistent to anti-stereotype-consistent completions.

Layers are counted as llama.cpp counts blocks: the direction of layer ``il`` is added to the output of block ``il``
(tensor ``l_out-il``). llama.cpp cannot steer block 0, so row 0 is always zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.infer.items import Item
from edgebias.infer.wording import likelihood_wording

if TYPE_CHECKING:
    from edgebias.mitigate.steered_model import SteeredModel

Matrix = npt.NDArray[np.float32]

MEANS, GRADIENT, LEARNED, SINGLE_LAYER = "difference_of_means", "gradient", "learned", "single_layer"
SOURCES = (LEARNED, GRADIENT, MEANS)
"""Names of the sources that the loop can steer along, as in `mitigate.directions`."""

GAIN_UNIT = 1e-3
"""Of `MEANS` and `GRADIENT`, which have no length of their own, a gain of 1 adds this share of the residual norm."""


class SeesHiddenStates(Protocol):
    """The part of a backend that difference of means needs."""

    def hidden_states(self, requests: Sequence[OptionRequest]) -> Iterator[Matrix]:
        """Block outputs (options, n_layer, n_embd) at the last token of prompt + option, of each request."""
        ...


@dataclass(frozen=True)
class Directions:
    """Unit directions (n_layer, n_embd), the length that a gain of 1 adds in each layer, and where they come from."""

    unit: Matrix
    scale: npt.NDArray[np.float64]
    source: str

    def vector(self, gains: npt.NDArray[np.float64]) -> Matrix:
        """The control vector: ``gain * scale * unit`` of each layer, float32."""
        return (self.unit * (gains * self.scale)[:, None]).astype(np.float32)


@dataclass(frozen=True)
class Contrast:
    """A prompt with its stereotype-consistent and its anti-stereotype-consistent continuation."""

    prompt: str
    stereotype: str
    anti_stereotype: str


def contrasts(items: Sequence[Item]) -> list[Contrast]:
    """The contrast of every item that has both roles, worded as the likelihood format words it.

    An item with and without an unknown option makes one contrast, not two.
    """
    found: dict[Contrast, None] = {}
    for item in items:
        if not {"stereotype", "anti_stereotype"} <= set(item.roles):
            continue
        wording = likelihood_wording(item)
        option = dict(zip(item.roles, wording.continuations, strict=True))
        found[Contrast(wording.prompt.text or "", option["stereotype"], option["anti_stereotype"])] = None
    return list(found)


def difference_of_means(backend: SeesHiddenStates, pairs: Sequence[Contrast]) -> Directions:
    """Mean block output after anti-stereotype-consistent completions minus that after stereotype-consistent ones.

    Read at the last token, from the very build that is steered (Contrastive Activation Addition as in llama.cpp's own
    ``cvector-generator --method mean``).
    """
    return _directions(*_mean_difference(backend, pairs), MEANS)


def single_layer(backend: SeesHiddenStates, pairs: Sequence[Contrast]) -> Directions:
    """The difference of means as it is, of the middle block alone: steering with one layer and a fixed strength.

    This is the published baseline (FairSteer's vector, arXiv 2504.14492: one layer of the middle, strength 1) without
    its gate; nothing is tuned.
    """
    raw, _ = _mean_difference(backend, pairs)
    alone = np.zeros_like(raw)
    alone[len(raw) // 2] = raw[len(raw) // 2]
    return from_vector(alone.astype(np.float32), SINGLE_LAYER)


def gradient(model: SteeredModel, pairs: Sequence[Contrast]) -> Directions:
    """Steepest descent of the stereotype gap through the frozen model, one direction per layer.

    The gap of an item is the mean log-probability per token of the stereotype-consistent option minus that of the
    anti-stereotype-consistent one. Its mean over ``pairs`` is differentiated once, at zero, with respect to a vector
    added to each block's output; the direction of a layer is minus that gradient. This is the first step of a learned
    vector, so it costs one forward and one backward pass per item and has nothing to tune.
    """
    norm = np.zeros(len(model.vector))
    for pair in tqdm(pairs, desc="gradient", unit="item", mininterval=10, ascii=True):
        (means,), _ = model.score([model.ask(pair.prompt, (pair.stereotype, pair.anti_stereotype))])
        (means[0] - means[1]).backward()  # type: ignore[no-untyped-call]  # torch has no types here
        norm += model.residual_norm.numpy()
    slope = model.vector.grad
    if slope is None:
        raise RuntimeError("no block's output reaches the loss")
    return _directions(-slope.numpy().astype(np.float64), norm / len(pairs), GRADIENT)


def from_vector(vector: Matrix, source: str) -> Directions:
    """Directions whose `vector` at gain 1 is ``vector`` (n_layer, n_embd): how a file of directions is read."""
    length = np.linalg.norm(vector.astype(np.float64), axis=1)
    unit = np.divide(vector, length[:, None], out=np.zeros_like(vector), where=length[:, None] > 0)
    return Directions(unit, length, source)


def _mean_difference(
    backend: SeesHiddenStates, pairs: Sequence[Contrast]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Anti-stereotype less stereotype, (n_layer, n_embd), and the mean norm of each layer."""
    requests = [OptionRequest(Prompt(text=pair.prompt), (pair.stereotype, pair.anti_stereotype)) for pair in pairs]
    states = np.stack([np.asarray(state, dtype=np.float64) for state in backend.hidden_states(requests)])
    stereotype, anti_stereotype = states.mean(axis=0)
    return anti_stereotype - stereotype, np.linalg.norm(states, axis=3).mean(axis=(0, 1))


def _directions(raw: npt.NDArray[np.float64], norm: npt.NDArray[np.float64], source: str) -> Directions:
    length = np.linalg.norm(raw, axis=1, keepdims=True)
    unit = np.divide(raw, length, out=np.zeros_like(raw), where=length > 0)
    unit[0] = 0.0
    return Directions(unit.astype(np.float32), GAIN_UNIT * norm, source)
