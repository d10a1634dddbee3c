"""The library's model under our hands: what it answers is what `LlamaBackend` answers with the same vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebias.backends.base import ContextError, GenerationRequest, GenerationSettings, Message, OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.core.errors import InputError
from edgebias.mitigate.steering.gate import TokenGate
from edgebias.mitigate.steering.vector_file import read_control_vector
from edgebias.serve.live import LiveModel, Written, load_model, read_header
from edgebias.serve.request import Sampling

PROMPT, OPTIONS = "The cook met the guard.\nAnswer:", (" the cook", " the guard who was late", " he")
ASKED = OptionRequest(Prompt(text=PROMPT), OPTIONS)


@pytest.fixture
def library(tiny: Path) -> Iterator[Any]:
    model = load_model(tiny, threads=1, context=256)
    yield model
    model.close()


@pytest.fixture
def live(library: Any, tiny: Path, vector: Path) -> LiveModel:
    return LiveModel(library, read_header(tiny), read_control_vector(vector, 3, 32))


@pytest.fixture
def backend(tiny: Path) -> Iterator[LlamaBackend]:
    with LlamaBackend(tiny, threads=1, context=256, start_token=None) as engine:
        yield engine


GREEDY = Sampling(0.0, 1.0, 0, 0.0, 1.0, 0.0, 0.0, {}, None, None)


def answer(live: LiveModel, text: str = PROMPT, *, top: int = 1) -> list[Written]:
    """Four tokens that the model writes."""
    prompt = Prompt(text=text)
    live.steer_for(prompt)
    return list(live.write(live.tokens_of(prompt), GREEDY, limit=4, top=top))


@pytest.mark.parametrize("gain", [0.0, 1.0, -2.5])
def test_scores_are_those_of_the_backend_under_the_same_vector(
    live: LiveModel, backend: LlamaBackend, vector: Path, gain: float
) -> None:
    live.apply(gain)
    backend.set_control_vector((gain * read_control_vector(vector, 3, 32)).astype(np.float32))
    chat = OptionRequest(Prompt(messages=(Message("user", "Who is it?"),)), OPTIONS)
    for ours, theirs in zip(live.score([ASKED, chat]), backend.score([ASKED, chat]), strict=True):
        assert ours.n_tokens == theirs.n_tokens
        # Of 32-bit weights llama.cpp multiplies a lone row in another order than several (module `backends.llama`).
        assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-4)


def test_a_completion_has_the_log_probabilities_of_the_backend_under_the_same_vector(
    live: LiveModel, backend: LlamaBackend, vector: Path
) -> None:
    live.apply(1.0)
    top = {piece.decode("utf-8", "replace"): logprob for piece, logprob in answer(live, top=200)[0].top}
    backend.set_control_vector(read_control_vector(vector, 3, 32))
    tokens = [text for text in top if text.isascii() and text.isalnum()]
    assert len(tokens) >= 50
    request = OptionRequest(Prompt(text=PROMPT), tuple(tokens))
    backend._form = replace(backend._form, start=())  # a completion follows its prompt alone
    (theirs,) = backend.score([request])
    assert set(theirs.n_tokens) == {1}
    assert [top[token] for token in tokens] == pytest.approx(theirs.logprobs, abs=1e-4)


def test_an_answer_is_the_backend_s_under_the_same_vector(live: LiveModel, backend: LlamaBackend, vector: Path) -> None:
    live.apply(1.0)
    backend.set_control_vector(read_control_vector(vector, 3, 32))
    prompt = Prompt(messages=(Message("user", "Who is it?"),))
    (theirs,) = backend.generate([GenerationRequest(prompt)], GenerationSettings(max_new_tokens=12))
    ours = b"".join(token.piece for token in live.write(live.tokens_of(prompt), GREEDY, limit=12, top=None))
    assert ours.decode("utf-8", "replace") == theirs.text


def test_another_gain_gives_other_numbers_and_gain_0_those_of_the_model_as_it_is(live: LiveModel) -> None:
    plain = answer(live)
    live.apply(1.0)
    steered = answer(live)
    live.apply(2.0)
    assert plain != steered != answer(live)
    live.apply(0.0)
    assert answer(live) == plain


def test_what_is_scored_between_two_answers_leaves_no_trace_in_the_second(live: LiveModel) -> None:
    live.apply(1.0)
    first = answer(live)
    list(live.score([OptionRequest(Prompt(text="Something else."), (" yes", " no"))]))
    assert answer(live) == first


def test_an_answer_that_was_broken_off_leaves_no_trace_in_the_next(live: LiveModel) -> None:
    tokens = live.tokens_of(Prompt(text="Something else that is longer than the other."))
    first = answer(live)
    next(live.write(tokens, GREEDY, limit=9, top=None))
    assert [token.piece for token in answer(live)] == [token.piece for token in first]


def test_an_echoed_prompt_has_the_log_probabilities_of_its_options(live: LiveModel) -> None:
    head, rest = PROMPT[:10], PROMPT[10:]
    start = [int(token) for token in live._form.start]
    tokens = live.tokens_of(Prompt(text=PROMPT))
    read = live.read([*start, *tokens], 2)[-len(tokens) :]
    assert b"".join(token.piece for token in read).decode() == PROMPT
    (scores,) = live.score([OptionRequest(Prompt(text=head), (rest,))])
    n_head = len(live.tokens_of(Prompt(text=head)))
    assert sum(token.logprob or 0.0 for token in read[n_head:]) == pytest.approx(scores.logprobs[0], abs=1e-3)
    assert all(len(token.top) == 2 for token in read)
    assert live.read(live.tokens_of(Prompt(text=PROMPT)), 2)[0].logprob is None


def test_tokens_of_answers_are_counted_and_those_of_scores_are_not(live: LiveModel) -> None:
    n_written = len(answer(live))
    list(live.score([ASKED]))
    assert live.counts.written == n_written


def test_a_token_that_the_model_does_not_have_is_refused(live: LiveModel) -> None:
    for token in (-1, 10**6):
        with pytest.raises(InputError, match="no token of this model"):
            live.tokens_of((5, token))
    with pytest.raises(InputError, match="no token of this model"):
        live.check_biases({10**6: 1.0})


def test_a_text_longer_than_a_batch_is_read_in_parts(live: LiveModel, backend: LlamaBackend) -> None:
    long = " ".join(["word"] * 40)
    request = OptionRequest(Prompt(text=""), (long,))
    (theirs,), (ours,) = backend.score([request]), live.score([request])
    assert theirs.n_tokens[0] > 128
    assert ours.logprobs == pytest.approx(theirs.logprobs, abs=1e-3)


def test_a_text_longer_than_the_context_is_refused(live: LiveModel) -> None:
    with pytest.raises(ContextError, match="the context holds 256"):
        list(live.score([OptionRequest(Prompt(text=""), ("word " * 200,))]))


def test_a_gain_without_a_vector_is_refused(library: Any, tiny: Path) -> None:
    with pytest.raises(InputError, match="--control-vector"):
        LiveModel(library, read_header(tiny), None).apply(1.0)


@pytest.fixture
def gated(library: Any, tiny: Path, vector: Path) -> LiveModel:
    """Steered at a gain of 1 for requests that have a Z."""
    file = read_header(tiny)
    says = np.zeros(library.n_vocab())
    says[library.tokenize(b"Z", add_bos=False)] = 1.0
    live = LiveModel(library, file, read_control_vector(vector, 3, 32), TokenGate(says, 1e-9))
    live.apply(1.0)
    return live


def test_behind_a_gate_an_answer_is_steered_or_as_it_is(gated: LiveModel) -> None:
    def ask(prompt: Prompt | tuple[int, ...]) -> list[Written]:
        gated.steer_for(prompt)
        return list(gated.write(gated.tokens_of(prompt), GREEDY, limit=4, top=1))

    def said(text: str) -> Prompt:
        return Prompt(messages=(Message("system", "Be brief."), Message("user", text)))

    opening = [Prompt(text="A Z fell."), said("A Z fell."), tuple(gated.tokens_of(Prompt(text="A Z fell.")))]
    shutting = [Prompt(text="It fell."), said("It fell."), tuple(gated.tokens_of(Prompt(text="It fell.")))]
    steered, plain = [ask(prompt) for prompt in opening], [ask(prompt) for prompt in shutting]
    assert (gated.counts.opened, gated.counts.shut) == (3, 3)
    assert steered[0] == steered[2]
    assert plain[0] == plain[2]
    gated.apply(0.0)
    assert [ask(prompt) for prompt in shutting] == plain
    unsteered = [ask(prompt) for prompt in opening]
    assert all(one != other for one, other in zip(unsteered, steered, strict=True))


def test_what_we_ask_ourselves_passes_the_gate_whatever_it_said_last(gated: LiveModel) -> None:
    about = OptionRequest(Prompt(text="A Z fell."), (" It hurt.", " It rose."))
    steered, shut = list(gated.score([about])), list(gated.score([ASKED]))
    answer(gated, "It fell.")
    assert list(gated.score([about])) == steered
    answer(gated, "A Z fell.")
    assert list(gated.score([ASKED])) == shut
    assert (gated.counts.opened, gated.counts.shut) == (1, 1)  # of clients alone
    gated.apply(0.0)
    assert list(gated.score([about])) != steered
    assert list(gated.score([ASKED])) == shut


@pytest.fixture
def damaged(tmp_path: Path, vector: Path) -> Callable[[], Path]:
    def make() -> Path:
        path = tmp_path / "half.gguf"
        path.write_bytes(vector.read_bytes()[:100])
        return path

    return make


def test_a_file_that_is_no_model_is_refused(damaged: Callable[[], Path], vector: Path) -> None:
    with pytest.raises(InputError, match=r"half\.gguf"):
        read_header(damaged())
    with pytest.raises(InputError, match="not of a language model"):
        read_header(vector)


@pytest.mark.model
def test_a_pruned_int8_model_is_scored_bit_for_bit_as_the_backend_scores_it() -> None:
    weights = Path(__file__).parents[3] / "data/models/smollm2-135m-instruct/wanda50_q8_0.gguf"
    if not weights.is_file():
        pytest.skip(f"{weights} is absent: run `make reproduce`")
    file = read_header(weights)
    steering = np.random.default_rng(1).normal(scale=0.02, size=(file.n_layer, file.n_embd)).astype(np.float32)
    steering[0] = 0.0
    library = load_model(weights, threads=1, context=512)
    live = LiveModel(library, file, steering)
    live.apply(1.0)
    asked = Message("user", "Explain bread.")
    requests = [
        ASKED,
        OptionRequest(Prompt(text=""), (PROMPT,)),
        OptionRequest(Prompt(messages=(asked,)), ("Bread is made of flour.",)),
    ]
    ours = [scores.logprobs for scores in live.score(requests)]
    library.close()
    with LlamaBackend(weights, threads=1, context=512, start_token=None) as engine:
        engine.set_control_vector(steering)
        assert [scores.logprobs for scores in engine.score(requests)] == ours
