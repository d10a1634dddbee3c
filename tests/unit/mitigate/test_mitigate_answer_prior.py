"""Answer-prior calibration: what it makes of the options of a live llama.cpp model, and of a stand-in by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from edgebias.backends.base import GenerationRequest, GenerationSettings, Message, OptionRequest, OptionScores, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.backends.wrapper import CHUNK, BackendWrapper
from edgebias.core.errors import InputError
from edgebias.infer.outcome import preferred
from edgebias.mitigate.base import Artefacts
from edgebias.mitigate.methods.answer_prior import AnswerPriorBackend, without_content
from edgebias.mitigate.registry import choose

CONTENT_FREE = ("N/A", "[MASK]", "")
WHO = OptionRequest(Prompt(text="The cook met the guard.\nWho fell?\nAnswer:"), (" the cook", " the guard", " Unknown"))
AFTER = OptionRequest(Prompt(text="The cook met the guard."), (" He fell.", " She fell."))
ALONE = OptionRequest(Prompt(text=""), ("He fell.", "She fell."))


def test_the_last_line_of_several_is_the_cue_and_stays() -> None:
    assert without_content("The cook met the guard.\nWho fell?\nAnswer:", "N/A") == "N/A\nAnswer:"
    assert without_content("The cook met the guard.\nWho fell?\nAnswer:", "") == "Answer:"
    assert without_content("The cook met the guard.", "N/A") == "N/A"
    assert without_content("The cook met the guard.", "") == ""


@pytest.mark.parametrize("request_", [WHO, AFTER])
def test_what_an_option_gains_is_the_log_of_its_probability_over_the_mean_without_content(
    backend: LlamaBackend, request_: OptionRequest
) -> None:
    """Oracle: one option and one text at a time."""
    (found,) = AnswerPriorBackend(backend, CONTENT_FREE).score([request_])
    gains = []
    for place, option in enumerate(request_.options):
        texts = [
            request_.prompt.text or "",
            *(without_content(request_.prompt.text or "", free) for free in CONTENT_FREE),
        ]
        plain, *free = (
            next(backend.score([OptionRequest(Prompt(text=text), (option,))])).logprobs[0] for text in texts
        )
        prior = sum(map(math.exp, free)) / len(free)
        gains.append((plain - math.log(prior)) / found.n_tokens[place])
    means = [value / count for value, count in zip(found.logprobs, found.n_tokens, strict=True)]
    assert means == pytest.approx([gain - max(gains) for gain in gains], abs=1e-9)
    assert max(found.logprobs) == 0.0
    assert found.n_tokens == next(backend.score([request_])).n_tokens


def test_a_sentence_of_its_own_keeps_its_score(backend: LlamaBackend) -> None:
    assert list(AnswerPriorBackend(backend, CONTENT_FREE).score([ALONE])) == list(backend.score([ALONE]))


def test_an_answer_that_is_likely_anyway_is_no_longer_preferred() -> None:
    """By hand: " Unknown" has 0.6 whatever is asked; " the cook" has 0.3, and 0.1 where nothing is."""

    class Fixed:
        name, scores_options = "fixed", True

        def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
            for request in requests[skip:]:
                asked = "met" in (request.prompt.text or "")
                of = {" the cook": 0.3 if asked else 0.1, " the guard": 0.1 if asked else 0.2, " Unknown": 0.6}
                yield OptionScores(
                    tuple(math.log(of[option]) for option in request.options), (1,) * len(request.options)
                )

    roles = ("stereotype", "anti_stereotype", "unknown")
    (plain,), (found,) = (list(one.score([WHO])) for one in (Fixed(), AnswerPriorBackend(Fixed(), ("N/A",))))
    assert preferred(plain.logprobs, plain.n_tokens, roles).outcome == "unknown"
    assert preferred(found.logprobs, found.n_tokens, roles).outcome == "stereotype"
    assert found.logprobs == pytest.approx([0.0, math.log(0.5 / 3), math.log(1 / 3)])


class Counting(BackendWrapper[LlamaBackend]):
    """Counts what the build is asked."""

    asked: ClassVar[list[OptionRequest]] = []

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        self.asked.extend(requests)
        return self._inner.score(requests, skip=skip)


def test_the_prior_of_an_option_is_asked_for_once_and_again_when_it_was_forgotten(backend: LlamaBackend) -> None:
    Counting.asked.clear()
    calibrated = AnswerPriorBackend(Counting(backend), CONTENT_FREE)
    requests = [WHO] * (CHUNK + 1)
    found = list(calibrated.score(requests))
    assert found == [found[0]] * len(requests)
    assert len(Counting.asked) == len(requests) + len(CONTENT_FREE)
    calibrated.forget()
    assert list(calibrated.score([WHO])) == found[:1]
    assert len(Counting.asked) == len(requests) + 1 + 2 * len(CONTENT_FREE)


def test_what_is_known_is_left_out_and_changes_nothing(backend: LlamaBackend) -> None:
    requests = [WHO, ALONE, AFTER]
    calibrated = AnswerPriorBackend(backend, CONTENT_FREE)
    whole = list(calibrated.score(requests))
    calibrated.forget()
    assert list(calibrated.score(requests, skip=2)) == whole[2:]


def test_it_is_what_the_method_of_that_name_does(backend: LlamaBackend, tiny: Path) -> None:
    settings = {"mitigate.answer_prior": {"content_free": list(CONTENT_FREE)}}
    model = choose("answer_prior").wrap(backend, settings, Artefacts(tiny))
    assert list(model.backend.score([WHO])) == list(AnswerPriorBackend(backend, CONTENT_FREE).score([WHO]))
    record = model.cost(["A sentence."], [WHO])
    assert record["control_vector_bytes"] == 0
    assert record["prefill_ms_per_token_ratio"] > 0


def test_what_it_cannot_do_is_refused_with_the_way_out(backend: LlamaBackend) -> None:
    calibrated = AnswerPriorBackend(backend, CONTENT_FREE)
    with pytest.raises(InputError, match=r"answer_prior scores options; leave infer\.formats"):
        calibrated.generate([GenerationRequest(Prompt(text="x"))], GenerationSettings(4))
    conversation = Prompt(messages=(Message("user", "Who?"),))
    with pytest.raises(InputError, match="answer_prior reads plain text"):
        list(calibrated.score([OptionRequest(conversation, ("A",))]))


@pytest.mark.parametrize("wrong", [[], "N/A", [1], None])
def test_settings_of_another_kind_are_refused(wrong: object) -> None:
    with pytest.raises(InputError, match=r"mitigate\.answer_prior\.content_free"):
        choose("answer_prior").settings({"mitigate": {"answer_prior": {"content_free": wrong}}})
