"""One unit direction per layer that points from stereotype-consistent to anti-stereotype-consistent completions.

Layers are counted as llama.cpp counts blocks: the direction of layer ``il`` is added to the output of block ``il``
(tensor ``l_out-il``). llama.cpp cannot steer block 0, so row 0 is always zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from edgebias.backends.base import OptionRequest, Prompt
from edgebias.gguf_file import open_gguf
from edgebias.infer.items import Item
from edgebias.infer.wording import likelihood_wording
from edgebias.variants.convert import special_tokens
from edgebias.variants.transformers_load import load_model, load_tokenizer

if TYPE_CHECKING:
    import torch

Matrix = npt.NDArray[np.float32]

MEANS, GRADIENT = "difference_of_means", "gradient"
SOURCES = (MEANS, GRADIENT)
"""Names of the sources, as in `mitigate.directions`."""

GAIN_UNIT = 1e-3
"""A gain of 1 adds this share of the layer's residual norm."""


class SeesHiddenStates(Protocol):
    """The part of a backend that difference of means needs."""

    def hidden_states(self, requests: Sequence[OptionRequest]) -> Iterator[Matrix]:
        """Block outputs (options, n_layer, n_embd) at the last token of prompt + option, of each request."""
        ...


@dataclass(frozen=True)
class Directions:
    """Unit directions (n_layer, n_embd), the residual norm of each layer, and where they come from."""

    unit: Matrix
    residual_norm: npt.NDArray[np.float64]
    source: str

    def vector(self, gains: npt.NDArray[np.float64]) -> Matrix:
        """The control vector: ``gain * GAIN_UNIT * residual norm * unit`` of each layer, float32."""
        return (self.unit * (gains * GAIN_UNIT * self.residual_norm)[:, None]).astype(np.float32)


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
    requests = [OptionRequest(Prompt(text=pair.prompt), (pair.stereotype, pair.anti_stereotype)) for pair in pairs]
    states = np.stack([np.asarray(state, dtype=np.float64) for state in backend.hidden_states(requests)])
    stereotype, anti_stereotype = states.mean(axis=0)
    return _directions(anti_stereotype - stereotype, np.linalg.norm(states, axis=3).mean(axis=(0, 1)), MEANS)


def gradient(weights: Path, pairs: Sequence[Contrast], start_token: str | None) -> Directions:
    """Steepest descent of the stereotype gap through the frozen model, one direction per layer.

    The gap of an item is the mean log-probability per token of the stereotype-consistent option minus that of the
    anti-stereotype-consistent one. Its mean over ``pairs`` is differentiated once, at zero, with respect to a vector
    added to each block's output; the direction of a layer is minus that gradient. This is the first step of a learned
    vector, so it costs one forward and one backward pass per item and has nothing to tune.

    Both options of an item run in one sequence after their shared prompt: an attention mask hides the first from the
    second, and both count positions from the end of the prompt.

    Raises:
        InputError: transformers cannot read the weights.
    """
    import torch

    torch.set_num_threads(1)  # sums over threads would depend on how many there are
    way_out = "set mitigate.directions to difference_of_means"
    tokenizer = load_tokenizer(weights, way_out)
    model = load_model(weights, way_out).eval().requires_grad_(False)
    start = start_token or special_tokens(open_gguf(weights)).get("bos_token", "")
    layers = model.get_decoder().layers
    offsets = [torch.zeros(model.config.hidden_size, requires_grad=True) for _ in layers]
    norms = [0.0] * len(layers)

    def steer(index: int) -> torch.utils.hooks.RemovableHandle:
        def hook(_module: object, _inputs: object, output: torch.Tensor | tuple[torch.Tensor, ...]) -> object:
            hidden = output[0] if isinstance(output, tuple) else output
            norms[index] += float(hidden.detach()[0, -1].norm())
            steered = hidden + offsets[index]
            return (steered, *output[1:]) if isinstance(output, tuple) else steered

        handle: torch.utils.hooks.RemovableHandle = layers[index].register_forward_hook(hook)
        return handle

    handles = [steer(index) for index in range(len(layers))]
    for pair in tqdm(pairs, desc="gradient", unit="item", mininterval=10, ascii=True):
        _gap(model, tokenizer, pair, start).backward()  # type: ignore[no-untyped-call]  # torch has no types here
    for handle in handles:
        handle.remove()
    slope = np.stack([_numpy(offset.grad) for offset in offsets])
    return _directions(-slope, np.array(norms) / len(pairs), GRADIENT)


def _gap(model: Any, tokenizer: Any, pair: Contrast, start_text: str) -> torch.Tensor:
    import torch

    def tokens(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    prompt = tokens(start_text) + tokens(pair.prompt)
    stereotype, anti_stereotype = tokens(pair.stereotype), tokens(pair.anti_stereotype)
    start, middle = len(prompt), len(prompt) + len(stereotype)
    ids = torch.tensor([prompt + stereotype + anti_stereotype])
    length = ids.shape[1]
    positions = torch.arange(length)
    positions[middle:] -= len(stereotype)
    visible = torch.tril(torch.ones(length, length, dtype=torch.bool))
    visible[middle:, start:middle] = False
    mask = torch.zeros(length, length).masked_fill(~visible, torch.finfo(torch.float32).min)[None, None]
    # Logits are needed before each option token alone: the last prompt token serves both options.
    scored = [*range(start - 1, middle - 1), start - 1, *range(middle, length - 1)]
    logits = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions[None],
        use_cache=False,
        logits_to_keep=torch.tensor(scored),
    ).logits[0]
    chosen = torch.log_softmax(logits, dim=-1).gather(1, ids[0, start:, None])
    return chosen[: len(stereotype)].mean() - chosen[len(stereotype) :].mean()


def _numpy(gradient: torch.Tensor | None) -> npt.NDArray[np.float64]:
    if gradient is None:
        raise RuntimeError("a block's output does not reach the loss")
    return gradient.numpy().astype(np.float64)


def _directions(raw: npt.NDArray[np.float64], norm: npt.NDArray[np.float64], source: str) -> Directions:
    length = np.linalg.norm(raw, axis=1, keepdims=True)
    unit = np.divide(raw, length, out=np.zeros_like(raw), where=length > 0)
    unit[0] = 0.0
    return Directions(unit.astype(np.float32), norm, source)
