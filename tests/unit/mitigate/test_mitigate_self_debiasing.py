"""Self-debiasing: what it makes of probabilities, and of the options of a live llama.cpp model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.backends.base import GenerationRequest, GenerationSettings, Message, OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.backends.local.prefix_tree import PrefixTree
from edgebias.core.errors import InputError
from edgebias.mitigate.methods.self_debiasing import (
    SelfDebiasingBackend,
    SelfDebiasingSettings,
    self_debiased,
)
from edgebias.mitigate.registry import choose
from edgebias.mitigate.speed import scoring_speed

PREFIX = "The following text is unkind:"
HOW = SelfDebiasingSettings(prefix=PREFIX, decay=50.0, floor=0.01)
REQUESTS = [
    OptionRequest(Prompt(text="The cook met the guard.\nAnswer:"), (" the cook", " the guard", " the cook and he")),
    OptionRequest(Prompt(text=""), ("He fell.", "She fell.")),
]

distributions = st.lists(st.floats(0.001, 1.0), min_size=6, max_size=6).map(
    lambda weights: np.log(np.array(weights) / sum(weights))
)


@given(distributions, distributions)
def test_it_is_a_distribution_in_which_what_the_announcement_favours_has_lost(
    plain: np.ndarray, announced: np.ndarray
) -> None:
    found = np.exp(self_debiased(plain, announced, HOW))
    assert found.sum() == pytest.approx(1.0)
    p, q = np.exp(plain), np.exp(announced)
    kept = p >= q
    ratio = found / p
    assert ratio[kept] == pytest.approx(ratio[kept][0])  # those that it does not favour keep their odds
    assert (ratio[~kept] <= ratio[kept].min() + 1e-9).all()
    assert (ratio[~kept] >= 0.01 * ratio[kept].min() - 1e-9).all()


def test_a_decay_by_hand() -> None:
    """p = (0.5, 0.3, 0.2), q = (0.3, 0.4, 0.3): the last two decay by exp(-0.1 x 5)."""
    found = np.exp(
        self_debiased(
            np.log([0.5, 0.3, 0.2]),
            np.log([0.3, 0.4, 0.3]),
            SelfDebiasingSettings(prefix=PREFIX, decay=5.0, floor=0.01),
        )
    )
    assert found == pytest.approx(np.array([0.5, 0.3 * 0.60653066, 0.2 * 0.60653066]) / 0.80326533)


def test_without_decay_the_scores_are_those_of_the_build(backend: LlamaBackend) -> None:
    plain = list(backend.score(REQUESTS))
    same = list(
        SelfDebiasingBackend(backend, SelfDebiasingSettings(prefix=PREFIX, decay=0.0, floor=0.01)).score(REQUESTS)
    )
    for one, other in zip(plain, same, strict=True):
        assert other.logprobs == pytest.approx(one.logprobs, abs=1e-9)
        assert (other.n_tokens, other.tokens) == (one.n_tokens, one.tokens)


def test_an_option_has_the_product_of_its_tokens_under_both_readings(backend: LlamaBackend) -> None:
    """Oracle: the distribution after each token, one continuation of one token at a time."""
    debiased = SelfDebiasingBackend(backend, HOW)
    (request, _), (found, _) = REQUESTS, list(debiased.score(REQUESTS))
    text, option = request.prompt.text, request.options[2]
    start, (tokens,) = backend.tokens_of(0, OptionRequest(request.prompt, (option,)))
    announced, _ = backend.tokens_of(0, OptionRequest(Prompt(text=f"{PREFIX}\n{text}"), (option,)))
    total = 0.0
    for place, token in enumerate(tokens):
        readings = [distribution(backend, prompt + tokens[:place]) for prompt in (start, announced)]
        total += self_debiased(*readings, HOW)[token]
    assert found.logprobs[2] == pytest.approx(total, abs=1e-9)
    assert found.token_logprobs[2] != pytest.approx(next(backend.score([request])).token_logprobs[2])


def distribution(backend: LlamaBackend, tokens: list[int]) -> np.ndarray:
    tree = PrefixTree()
    row = tree.add(tokens)[-1]
    logits = backend.logits_after(0, tree, [row])[0].astype(float)
    return logits - np.logaddexp.reduce(logits)


def test_what_is_known_is_left_out_and_changes_nothing(backend: LlamaBackend) -> None:
    debiased = SelfDebiasingBackend(backend, HOW)
    assert list(debiased.score(REQUESTS, skip=1)) == list(debiased.score(REQUESTS))[1:]


def test_the_time_of_scoring_comes_with_that_without_and_their_ratio(backend: LlamaBackend) -> None:
    asked = [OptionRequest(Prompt(text=""), (f"Sentence number {number}.",)) for number in range(4)]
    record = scoring_speed(backend, SelfDebiasingBackend(backend, HOW), asked)
    assert set(record) == {f"prefill_ms_per_token{ending}" for ending in ("", "_without", "_ratio")}
    assert all(value is not None and value > 0 for value in record.values())


def test_what_it_cannot_do_is_refused_with_the_way_out(backend: LlamaBackend) -> None:
    debiased = SelfDebiasingBackend(backend, HOW)
    with pytest.raises(InputError, match="leave infer"):
        debiased.generate([GenerationRequest(Prompt(text="x"))], GenerationSettings(4))
    conversation = Prompt(messages=(Message("user", "Who?"),))
    with pytest.raises(InputError, match="reads plain text"):
        list(debiased.score([OptionRequest(conversation, ("A",))]))


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"prefix": " ", "decay": 1.0, "floor": 0.1}, "prefix is ' '; a text that is not blank"),
        ({"prefix": "x", "decay": -1.0, "floor": 0.1}, "decay is -1.0; a number of at least 0"),
        ({"prefix": "x", "decay": 1.0, "floor": 0.0}, "floor is 0.0; a number above 0"),
        ({"prefix": "x", "decay": "fast", "floor": 0.1}, "mitigate.self_debiasing.decay is 'fast'"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object], what: str) -> None:
    with pytest.raises(InputError, match=what):
        choose("self_debiasing").settings({"mitigate": {"self_debiasing": wrong}})
