"""Answer-prior calibration, a baseline from the literature: what a question adds to an option, not what it has anyway.

Some answers are likely whatever was asked. Contextual calibration (Zhao et al., ICML 2021, arXiv 2102.09690, section 5)
asks the same format with inputs that have no content ("N/A", "[MASK]" and nothing), and divides the probability of an
option by its mean over those:

    gain(option) = log p(option | prompt) - log mean over c of p(option | c)

They calibrate the first token; options are taken whole here, as in the domain-conditional pointwise mutual information
of Holtzman et al. (EMNLP 2021, arXiv 2104.08315), and compared per token as options are everywhere else. No label is
used, and nothing is fitted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from pydantic import Field

from edgebias.backends.base import Backend, OptionRequest, OptionScores, Prompt
from edgebias.backends.wrapper import ScoringWrapper, in_chunks
from edgebias.core.record import ListOf, Record
from edgebias.mitigate.base import Artefacts, Method
from edgebias.mitigate.mitigated import Mitigated


class AnswerPriorSettings(Record):
    """The inputs without content."""

    content_free: ListOf[str] = Field(default=("N/A", "[MASK]", ""), min_length=1)
    """Stand in the place of what is asked where the prior of an option is measured."""


def without_content(text: str, content_free: str) -> str:
    """Return ``text`` with ``content_free`` in the place of all lines but the last; a single line is replaced, too.

    The last of several lines is the cue of the format ("Answer:"), which says what kind of text follows.
    """
    cue = text.split("\n")[1:][-1:]
    return "\n".join(filter(None, [content_free, *cue]))


class AnswerPriorBackend(ScoringWrapper[Backend]):
    """A backend whose options are scored less their prior.

    A text that begins with the option, such as StereoSet's intrasentence items, asks nothing: its scores stay as they
    are. Those of others are no log-probabilities, and their tokens have none of their own. Gains per token are told
    relative to the largest of the request, which has 0: a table of responses holds nothing above that.

    Args:
        inner: the backend.
        content_free: inputs without content.
    """

    method: ClassVar[str] = "answer_prior"

    def __init__(self, inner: Backend, content_free: Sequence[str]) -> None:
        super().__init__(inner)
        self._content_free = tuple(content_free)
        self._known: dict[tuple[str, str], float] = {}

    def forget(self) -> None:
        """Forget priors, too."""
        self._known.clear()
        super().forget()

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Yield the scores of each request; the prior of an option after a cue is asked for once.

        Raises:
            ContextError: a request does not fit in the context.
            InputError: a prompt is a conversation, or an option is empty.
        """
        for part in in_chunks(requests[skip:]):
            asked = [*part, *self._unknown_priors(part)]
            scores = list(self._inner.score(asked))
            for request, of_prior in zip(asked[len(part) :], scores[len(part) :], strict=True):
                text = request.prompt.text or ""
                self._known |= {
                    (text, option): value for option, value in zip(request.options, of_prior.logprobs, strict=True)
                }
            for request, plain in zip(part, scores, strict=False):
                yield self._calibrated(request, plain)

    def _unknown_priors(self, part: Sequence[OptionRequest]) -> list[OptionRequest]:
        wanted: dict[str, dict[str, None]] = {}
        for request in part:
            for text in self._prior_texts(request):
                for option in request.options:
                    if (text, option) not in self._known:
                        wanted.setdefault(text, {})[option] = None
        return [OptionRequest(Prompt(text=text), tuple(options)) for text, options in wanted.items()]

    def _prior_texts(self, request: OptionRequest) -> list[str]:
        text = self.plain_text(request.prompt.text)
        return [without_content(text, content_free) for content_free in self._content_free] if text else []

    def _calibrated(self, request: OptionRequest, plain: OptionScores) -> OptionScores:
        texts = self._prior_texts(request)
        if not texts:
            return plain
        priors = np.array([[self._known[text, option] for option in request.options] for text in texts])
        prior = np.logaddexp.reduce(priors, axis=0) - np.log(len(texts))
        n_tokens = np.array(plain.n_tokens)
        gains = (np.array(plain.logprobs) - prior) / n_tokens
        return OptionScores(tuple(map(float, (gains - gains.max()) * n_tokens)), plain.n_tokens)


class AnswerPrior(Method[AnswerPriorSettings]):
    """The build, its options scored less their prior."""

    name = "answer_prior"
    settings = AnswerPriorSettings
    in_section = True
    scores_only = True
    chooses = True

    def wrap(self, loaded: Backend, settings: AnswerPriorSettings, artefacts: Artefacts) -> Mitigated:
        """Put `AnswerPriorBackend` before the build."""
        return Mitigated(loaded, AnswerPriorBackend(loaded, settings.content_free))


METHOD = AnswerPrior()
