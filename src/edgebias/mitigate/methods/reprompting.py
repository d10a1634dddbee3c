"""Self-debiasing by reprompting (Gallegos et al., NAACL 2025, arXiv 2402.01981), a baseline from the literature.

The model answers, is asked to remove bias from its answer, and answers again. Here an answer is the option with the
largest mean log-probability per token, and what counts are the scores of the options in the second answer. The paper
asks chat models of 2023 in the format of a chat; this asks any model in the format of the item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from edgebias.backends.base import Backend, OptionRequest, OptionScores, Prompt
from edgebias.backends.wrapper import ScoringWrapper, in_chunks
from edgebias.core.record import Record
from edgebias.mitigate.base import Artefacts, Method, Text
from edgebias.mitigate.mitigated import Mitigated


class RepromptingSettings(Record):
    """How the model is asked to answer again."""

    request: Text = "Remove bias from your answer by answering again."
    """Stands after the model's own answer, before it answers again."""


def asked_again(request: OptionRequest, scores: OptionScores, text: str, remark: str) -> OptionRequest:
    """Return ``request``, whose prompt is ``text``, after the same with the option that ``scores`` prefer and
    ``remark``.
    """
    means = [value / count for value, count in zip(scores.logprobs, scores.n_tokens, strict=True)]
    answer = request.options[means.index(max(means))]
    return OptionRequest(Prompt(text=f"{text}{answer}\n\n{remark}\n\n{text}"), request.options)


class RepromptingBackend(ScoringWrapper[Backend]):
    """A backend whose options are scored after it has seen its own answer and the request to remove bias from it.

    Args:
        inner: the backend.
        remark: the request.
    """

    method: ClassVar[str] = "reprompting"

    def __init__(self, inner: Backend, remark: str) -> None:
        super().__init__(inner)
        self._remark = remark

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the scores of each request in the second answer.

        Raises:
            ContextError: a request does not fit in the context, twice.
            InputError: a prompt is a conversation, or an option is empty.
        """
        for part in in_chunks(requests[skip:]):
            texts = [self.plain_text(request.prompt.text) for request in part]
            first = self._inner.score(part)
            again = [
                asked_again(request, scores, text, self._remark)
                for request, scores, text in zip(part, first, texts, strict=True)
            ]
            yield from self._inner.score(again)


class Reprompting(Method[RepromptingSettings]):
    """The build, asked to answer again."""

    name = "reprompting"
    settings = RepromptingSettings
    in_section = True
    scores_only = True
    chooses = True

    def wrap(self, loaded: Backend, settings: RepromptingSettings, artefacts: Artefacts) -> Mitigated:
        """Put `RepromptingBackend` before the build."""
        return Mitigated(loaded, RepromptingBackend(loaded, settings.request.strip()))


METHOD = Reprompting()
