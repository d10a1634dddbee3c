"""One unit direction per layer that points from stereotype-consistent to anti-stereotype-consistent completions.

Layers are counted as llama.cpp counts blocks: the direction of layer ``il`` is added to the output of block ``il``
(tensor ``l_out-il``). llama.cpp cannot steer block 0, so row 0 is always zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.infer.wording import likelihood_wording
from edgebias.mitigate.probes.linear_probe import Doubles, probe_normal
from edgebias.suites.item import Item

if TYPE_CHECKING:
    from edgebias.mitigate.steering.steered_model import SteeredModel

Matrix = npt.NDArray[np.float32]

MEANS, PCA, PROBE = "difference_of_means", "pca", "probe"
GRADIENT, LEARNED, SINGLE_LAYER = "gradient", "learned", "single_layer"
SOURCES = (LEARNED, GRADIENT, MEANS, PCA, PROBE)
"""Names of the sources that the loop can steer along, as in `mitigate.directions`."""

GAIN_UNIT = 1e-3
"""Share of the residual norm that a gain of 1 adds, of all sources but `LEARNED`: they have no length of their own."""


class SeesHiddenStates(Protocol):
    """The part of a backend that is read for directions and probes."""

    def hidden_states(self, requests: Sequence[OptionRequest]) -> Iterator[Matrix]:
        """Return block outputs (options, n_layer, n_embd) at the last token of prompt + option, of each request."""
        ...


@dataclass(frozen=True)
class Directions:
    """Unit directions (n_layer, n_embd), the length that a gain of 1 adds in each layer, and where they come from."""

    unit: Matrix
    scale: npt.NDArray[np.float64]
    source: str

    def vector(self, gains: npt.NDArray[np.float64]) -> Matrix:
        """Return the control vector: ``gain * scale * unit`` of each layer, float32."""
        return (self.unit * (gains * self.scale)[:, None]).astype(np.float32)


@dataclass(frozen=True)
class Contrast:
    """A prompt with its stereotype-consistent and its anti-stereotype-consistent continuation."""

    prompt: str
    stereotype: str
    anti_stereotype: str


def contrasts(items: Sequence[Item]) -> list[Contrast]:
    """Return the contrast of every item that has both roles, worded as the likelihood format words it.

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


def principal_component(backend: SeesHiddenStates, pairs: Sequence[Contrast]) -> Directions:
    """Return the first principal component of the differences, anti-stereotype less stereotype, of each block's output.

    The differences are not centred: centred, the component would be what the pairs differ in, and the mean difference
    would be taken out of it. Its sign is the one with which the mean difference projects positively.

    As llama.cpp's ``cvector-generator --method pca``, which does not centre either, but takes every token at which the
    two texts differ (the shorter one filled up with spaces), leaves the last block out, writes the vector of block l as
    ``direction.{l + 1}``, and leaves the sign to the random start of its power iteration.
    """
    states = _states(backend, pairs)
    return _directions(np.stack([_component(block) for block in _by_block(states)]), _mean_norm(states), PCA)


def probe_normals(backend: SeesHiddenStates, pairs: Sequence[Contrast]) -> Directions:
    """Return the normal of a linear probe on each block's output, pointing to the anti-stereotype-consistent side.

    `probe_normal`.

    Unlike the difference of means it discounts what differs from pair to pair. FairSteer (arXiv 2504.14492) trains such
    probes as its gate and steers along the difference of means.
    """
    states = _states(backend, pairs)
    return _directions(np.stack([probe_normal(block) for block in _by_block(states)]), _mean_norm(states), PROBE)


def single_layer(backend: SeesHiddenStates, pairs: Sequence[Contrast]) -> Directions:
    """Return the difference of means as it is, of the middle block alone: steering with one layer and a fixed strength.

    This is the published baseline (FairSteer's vector, arXiv 2504.14492: one layer of the middle, strength 1) without
    its gate; nothing is tuned.
    """
    raw, _ = _mean_difference(backend, pairs)
    alone = np.zeros_like(raw)
    alone[len(raw) // 2] = raw[len(raw) // 2]
    return from_vector(alone.astype(np.float32), SINGLE_LAYER)


def gradient(model: SteeredModel, pairs: Sequence[Contrast]) -> Directions:
    """Return the steepest descent of the stereotype gap through the frozen model, one direction per layer.

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


def block_differences(backend: SeesHiddenStates, pairs: Sequence[Contrast]) -> Doubles:
    """Return block outputs at the last token, anti-stereotype less stereotype: (n_layer, pairs, n_embd)."""
    return _by_block(_states(backend, pairs))


def from_vector(vector: Matrix, source: str) -> Directions:
    """Return directions whose `vector` at gain 1 is ``vector`` (n_layer, n_embd): how a file of directions is read."""
    length = np.linalg.norm(vector.astype(np.float64), axis=1)
    unit = np.divide(vector, length[:, None], out=np.zeros_like(vector), where=length[:, None] > 0)
    return Directions(unit, length, source)


FROM_HIDDEN_STATES: Mapping[str, Callable[[SeesHiddenStates, Sequence[Contrast]], Directions]] = {
    MEANS: difference_of_means,
    PCA: principal_component,
    PROBE: probe_normals,
    SINGLE_LAYER: single_layer,
}
"""The sources that need nothing but the block outputs of the build itself."""


def _states(backend: SeesHiddenStates, pairs: Sequence[Contrast]) -> Doubles:
    """Return block outputs (pairs, 2, n_layer, n_embd) after the stereotype- and the anti-stereotype-consistent
    completion.
    """
    requests = [OptionRequest(Prompt(text=pair.prompt), (pair.stereotype, pair.anti_stereotype)) for pair in pairs]
    return np.stack([np.asarray(state, dtype=np.float64) for state in backend.hidden_states(requests)])


def _by_block(states: Doubles) -> Doubles:
    """Return anti-stereotype less stereotype, block by block: (n_layer, pairs, n_embd)."""
    return (states[:, 1] - states[:, 0]).transpose(1, 0, 2)


def _mean_norm(states: Doubles) -> Doubles:
    """Mean norm of the residual stream after each block, (n_layer,)."""
    norms: Doubles = np.linalg.norm(states, axis=3).mean(axis=(0, 1))
    return norms


def _mean_difference(backend: SeesHiddenStates, pairs: Sequence[Contrast]) -> tuple[Doubles, Doubles]:
    """Return anti-stereotype less stereotype, (n_layer, n_embd), and the mean norm of each layer."""
    states = _states(backend, pairs)
    stereotype, anti_stereotype = states.mean(axis=0)
    return anti_stereotype - stereotype, _mean_norm(states)


def _component(differences: Doubles) -> Doubles:
    """Return the first right singular vector of ``differences`` (pairs, n_embd), times its singular value.

    0 where all are.
    """
    _, values, vectors = np.linalg.svd(differences, full_matrices=False)
    component: Doubles = values[0] * vectors[0]
    return -component if component @ differences.mean(axis=0) < 0 else component


def _directions(raw: Doubles, norm: Doubles, source: str) -> Directions:
    length = np.linalg.norm(raw, axis=1, keepdims=True)
    unit = np.divide(raw, length, out=np.zeros_like(raw), where=length > 0)
    unit[0] = 0.0
    return Directions(unit.astype(np.float32), GAIN_UNIT * norm, source)
