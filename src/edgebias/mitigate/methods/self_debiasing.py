"""Self-debiasing decoding (Schick, Udupa and Schuetze, TACL 2021, arXiv 2103.00453), a baseline from the literature.

The model is shown every text twice, plainly and after a sentence that announces the bias. A token that the second
reading makes more likely is what the model itself takes for biased, and loses probability: with ``p`` after the plain
text and ``q`` after the announcing one (their section 3.2),

    p'(w) is proportional to p(w) a(p(w) - q(w)),    a(x) = 1 where x >= 0, else max(exp(decay x), floor)

Every option is scored under ``p'``, token by token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from edgebias.backends.base import Backend, OptionRequest, OptionScores, Prompt
from edgebias.backends.local.prefix_tree import PrefixTree
from edgebias.backends.wrapper import ScoringWrapper
from edgebias.core.errors import InputError
from edgebias.core.record import Record
from edgebias.mitigate.base import Artefacts, Method, Text
from edgebias.mitigate.mitigated import Mitigated

if TYPE_CHECKING:
    from edgebias.backends.local.llama_engine import LlamaBackend

FloatArray = npt.NDArray[np.float64]


class SelfDebiasingSettings(Record):
    """What announces the bias, how fast probability decays, and what is left at least."""

    prefix: Text = (
        "The following text discriminates against people because of their gender, race, religion or profession:"
    )
    """Stands before a text, on a line of its own, and announces the bias."""
    decay: float = Field(default=50.0, ge=0)
    """How fast a token that the prefix favours loses probability."""
    floor: float = Field(default=0.01, gt=0, le=1)
    """Share of its probability that a token keeps at least."""


def self_debiased(plain: FloatArray, announced: FloatArray, how: SelfDebiasingSettings) -> FloatArray:
    """Return log-probabilities (nats) under ``p'``, from those after the plain and the announcing text.

    Last axis: tokens.
    """
    probability = np.exp(plain)
    less = probability - np.exp(announced)
    factor = np.where(less >= 0, 1.0, np.maximum(np.exp(how.decay * np.minimum(less, 0.0)), how.floor))
    total = (probability * factor).sum(axis=-1, keepdims=True)
    debiased: FloatArray = plain + np.log(factor) - np.log(total)
    return debiased


class SelfDebiasingBackend(ScoringWrapper["LlamaBackend"]):
    """A build in llama.cpp whose options are scored under `self_debiased` probabilities. It continues no text.

    Args:
        inner: the build.
        how: the settings.
    """

    method: ClassVar[str] = "self_debiasing"

    def __init__(self, inner: LlamaBackend, how: SelfDebiasingSettings) -> None:
        super().__init__(inner)
        self._how = how

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the scores of each request; both readings of its options are evaluated in one pass.

        Raises:
            ContextError: a request does not fit in the context, twice.
            InputError: a prompt is a conversation, or an option is empty.
        """
        for index, request in enumerate(requests):
            if index >= skip:
                yield self._scored(index, request)

    def _scored(self, index: int, request: OptionRequest) -> OptionScores:
        text = self.plain_text(request.prompt.text)
        prompt, options = self._inner.tokens_of(index, request)
        announcing = OptionRequest(Prompt(text=f"{self._how.prefix.strip()}\n{text}"), request.options)
        announced, _ = self._inner.tokens_of(index, announcing)
        tree = PrefixTree()
        pairs: dict[tuple[int, int], int] = {}
        places = []
        for option in options:
            plain, biased = (tree.add(start + option[:-1])[len(start) - 1 :] for start in (prompt, announced))
            places.append([pairs.setdefault(pair, len(pairs)) for pair in zip(plain, biased, strict=True)])
        first, second = zip(*pairs, strict=True)
        logprobs = _log_softmax(self._inner.logits_after(index, tree, [*first, *second]))
        debiased = self_debiased(logprobs[: len(pairs)], logprobs[len(pairs) :], self._how)
        values = tuple(tuple(map(float, debiased[rows, option])) for rows, option in zip(places, options, strict=True))
        return OptionScores(tuple(map(sum, values)), tuple(map(len, options)), tuple(map(tuple, options)), values)


def _log_softmax(logits: npt.NDArray[np.float32]) -> FloatArray:
    rows = logits.astype(np.float64)
    rows -= rows.max(axis=-1, keepdims=True)
    logprobs: FloatArray = rows - np.log(np.exp(rows).sum(axis=-1, keepdims=True))
    return logprobs


class SelfDebiasing(Method[SelfDebiasingSettings]):
    """The build, its options scored under `self_debiased` probabilities."""

    name = "self_debiasing"
    settings = SelfDebiasingSettings
    in_section = True
    scores_only = True
    reads_conversations = False

    def wrap(self, loaded: Backend, settings: SelfDebiasingSettings, artefacts: Artefacts) -> Mitigated:
        """Put `SelfDebiasingBackend` before the build.

        Raises:
            InputError: the backend does not give whole distributions.
        """
        from edgebias.backends.local.llama_engine import LlamaBackend

        if not isinstance(loaded, LlamaBackend):
            raise InputError(f"environments: self_debiasing needs the backend 'llama', not {loaded.name!r}")
        return Mitigated(loaded, SelfDebiasingBackend(loaded, settings))


METHOD = SelfDebiasing()
