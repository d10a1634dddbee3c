"""Reprompting: the second answer comes after the first one and the request to remove bias from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgebias.backends.base import GenerationRequest, GenerationSettings, Message, OptionRequest, OptionScores, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.backends.wrapper import CHUNK
from edgebias.core.errors import InputError
from edgebias.mitigate.base import Artefacts
from edgebias.mitigate.methods.reprompting import RepromptingBackend, asked_again
from edgebias.mitigate.registry import choose

REMARK = "Remove bias from your answer by answering again."
TEXT = "The cook met the guard.\nWho fell?\nAnswer:"
WHO = OptionRequest(Prompt(text=TEXT), (" the cook", " the guard in the hall"))
ALONE = OptionRequest(Prompt(text=""), ("He fell.", "She fell."))


def test_the_first_answer_is_the_option_with_the_largest_mean_log_probability() -> None:
    scores = OptionScores((-3.0, -5.0), (2, 5))  # the second has the smaller sum and the larger mean
    assert asked_again(WHO, scores, TEXT, REMARK) == OptionRequest(
        Prompt(text=f"{TEXT} the guard in the hall\n\n{REMARK}\n\n{TEXT}"), WHO.options
    )


@pytest.mark.parametrize("asked", [WHO, ALONE])
def test_scores_are_those_of_the_options_when_asked_again(backend: LlamaBackend, asked: OptionRequest) -> None:
    (first,) = backend.score([asked])
    again = asked_again(asked, first, asked.prompt.text or "", REMARK)
    assert (again.prompt.text or "").count(REMARK) == 1
    assert list(RepromptingBackend(backend, REMARK).score([asked])) == list(backend.score([again]))


def test_what_is_known_is_left_out_and_changes_nothing(backend: LlamaBackend) -> None:
    requests = [WHO, ALONE] * CHUNK
    reprompted = RepromptingBackend(backend, REMARK)
    assert list(reprompted.score(requests, skip=CHUNK + 1)) == list(reprompted.score(requests))[CHUNK + 1 :]


def test_it_is_what_the_method_of_that_name_does(backend: LlamaBackend, tiny: Path) -> None:
    settings = {"mitigate": {"reprompting": {"request": f"{REMARK}\n"}}}
    model = choose("reprompting").wrap(backend, settings, Artefacts(tiny))
    assert list(model.backend.score([WHO])) == list(RepromptingBackend(backend, REMARK).score([WHO]))
    assert model.cost(["A sentence."], [WHO])["prefill_ms_per_token_ratio"] > 0


def test_what_it_cannot_do_is_refused_with_the_way_out(backend: LlamaBackend) -> None:
    reprompted = RepromptingBackend(backend, REMARK)
    with pytest.raises(InputError, match=r"reprompting scores options; leave infer\.formats"):
        reprompted.generate([GenerationRequest(Prompt(text="x"))], GenerationSettings(4))
    conversation = Prompt(messages=(Message("user", "Who?"),))
    with pytest.raises(InputError, match="reprompting reads plain text"):
        list(reprompted.score([OptionRequest(conversation, ("A",))]))


@pytest.mark.parametrize("wrong", ["", "  ", 3])
def test_settings_of_another_kind_are_refused(wrong: object) -> None:
    with pytest.raises(InputError, match=r"mitigate\.reprompting\.request is "):
        choose("reprompting").settings({"mitigate": {"reprompting": {"request": wrong}}})
