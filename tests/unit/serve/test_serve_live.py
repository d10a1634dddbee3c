"""The library's model under our hands: what it answers is what `LlamaBackend` answers with the same vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import pytest

from edgebias.backends.base import ContextError, Message, OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.core.errors import InputError
from edgebias.mitigate.steering.gate import TokenGate
from edgebias.mitigate.steering.vector_file import read_control_vector
from edgebias.serve.live import LiveModel, read_header, server_settings

PROMPT, OPTIONS = "The cook met the guard.\nAnswer:", (" the cook", " the guard who was late", " he")
ASKED = OptionRequest(Prompt(text=PROMPT), OPTIONS)


@pytest.fixture
def library(tiny: Path) -> Iterator[Any]:
    values = server_settings(tiny, alias="tiny", threads=1, context=256, logprobs=True)
    del values["model_alias"], values["cache"]
    model = llama_cpp.Llama(model_path=values.pop("model"), **values)
    yield model
    model.close()


@pytest.fixture
def live(library: Any, tiny: Path, vector: Path) -> LiveModel:
    return LiveModel(library, read_header(tiny), read_control_vector(vector, 3, 32))


@pytest.fixture
def backend(tiny: Path) -> Iterator[LlamaBackend]:
    with LlamaBackend(tiny, threads=1, context=256, start_token=None) as engine:
        yield engine


def written(library: Any) -> list[float]:
    """Log-probabilities of four tokens that the library writes."""
    answer = library.create_completion(PROMPT, max_tokens=4, temperature=0.0, logprobs=1)
    return list(answer["choices"][0]["logprobs"]["token_logprobs"])


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
    library: Any, live: LiveModel, backend: LlamaBackend, vector: Path
) -> None:
    live.apply(1.0)
    answer = library.create_completion(PROMPT, max_tokens=1, temperature=0.0, logprobs=200)
    (top,) = answer["choices"][0]["logprobs"]["top_logprobs"]
    backend.set_control_vector(read_control_vector(vector, 3, 32))
    tokens = [text for text in top if text.isascii() and text.isalnum()]
    assert len(tokens) >= 50
    request = OptionRequest(Prompt(text=PROMPT), tuple(tokens))
    backend._form = replace(backend._form, start=())  # a completion follows its prompt alone
    (theirs,) = backend.score([request])
    assert set(theirs.n_tokens) == {1}
    assert [top[token] for token in tokens] == pytest.approx(theirs.logprobs, abs=1e-4)


def test_another_gain_gives_other_numbers_and_gain_0_those_of_the_model_as_it_is(library: Any, live: LiveModel) -> None:
    plain = written(library)
    live.apply(1.0)
    steered = written(library)
    live.apply(2.0)
    assert plain != steered != written(library)
    live.apply(0.0)
    assert written(library) == plain


def test_what_is_scored_between_two_answers_leaves_no_trace_in_the_second(library: Any, live: LiveModel) -> None:
    live.apply(1.0)
    first = written(library)
    list(live.score([OptionRequest(Prompt(text="Something else."), (" yes", " no"))]))
    assert written(library) == first


def test_tokens_of_answers_are_counted_and_those_of_scores_are_not(library: Any, live: LiveModel) -> None:
    usage = library.create_completion(PROMPT, max_tokens=4, temperature=0.0)["usage"]
    list(live.score([ASKED]))
    assert (live.counts.read, live.counts.written) == (usage["prompt_tokens"], usage["completion_tokens"])


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


def test_behind_a_gate_an_answer_is_steered_or_as_it_is_on_every_route(
    library: Any, gated: LiveModel, tiny: Path, vector: Path
) -> None:
    def complete(prompt: str) -> list[float]:
        answer = library.create_completion(prompt, max_tokens=4, temperature=0.0, logprobs=1)
        return list(answer["choices"][0]["logprobs"]["token_logprobs"])

    def chat(content: Any) -> str:
        messages = [{"role": "user", "content": content}]
        whole = library.create_chat_completion(messages=messages, max_tokens=6, temperature=0.0)
        parts = llama_cpp.Llama.create_chat_completion(
            library, messages=messages, max_tokens=6, temperature=0.0, stream=True
        )
        streamed = "".join(part["choices"][0]["delta"].get("content", "") for part in parts)
        assert streamed == whole["choices"][0]["message"]["content"]
        return streamed

    def ask() -> tuple[Any, ...]:
        return complete("A Z fell."), complete("It fell."), chat("A Z fell."), chat([{"type": "text", "text": "Hi"}])

    found = ask()
    assert (gated.counts.opened, gated.counts.shut) == (3, 3)
    library.create_completion = type(library).create_completion.__get__(library)
    library.chat_handler = None
    gated.apply(1.0)
    steered = ask()
    gated.apply(0.0)
    plain = ask()
    assert found == (steered[0], plain[1], steered[2], plain[3])
    assert all(one != other for one, other in zip(steered, plain, strict=True))


def test_what_we_ask_ourselves_passes_the_gate_whatever_it_said_last(library: Any, gated: LiveModel) -> None:
    about = OptionRequest(Prompt(text="A Z fell."), (" It hurt.", " It rose."))
    steered, shut = list(gated.score([about])), list(gated.score([ASKED]))
    library.create_completion("It fell.", max_tokens=2)
    assert list(gated.score([about])) == steered
    library.create_completion("A Z fell.", max_tokens=2)
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
    with pytest.raises(InputError, match="no language model"):
        read_header(vector)


@pytest.mark.model
def test_a_pruned_int8_model_is_scored_bit_for_bit_as_the_backend_scores_it() -> None:
    weights = Path(__file__).parents[3] / "data/models/smollm2-135m-instruct/wanda50_q8_0.gguf"
    if not weights.is_file():
        pytest.skip(f"{weights} is absent: run `make reproduce`")
    file = read_header(weights)
    steering = np.random.default_rng(1).normal(scale=0.02, size=(file.n_layer, file.n_embd)).astype(np.float32)
    steering[0] = 0.0
    values = server_settings(weights, alias="", threads=1, context=512, logprobs=False)
    del values["model_alias"], values["cache"]
    library = llama_cpp.Llama(model_path=values.pop("model"), **values)
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
    with LlamaBackend(weights, threads=1, context=512, start_token=file.start_token) as engine:
        engine.set_control_vector(steering)
        assert [scores.logprobs for scores in engine.score(requests)] == ours
