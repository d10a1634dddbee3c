"""The llama.cpp engine: the same numbers whatever is evaluated together, in whatever order, on however many threads."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebias.backends.base import GenerationRequest, GenerationSettings, OptionRequest, Prompt
from edgebias.backends.local.llama_engine import MAX_WRITERS, LlamaBackend

START = "<|endoftext|>"
STORY = "the quick brown fox asks whether the lazy dog is at home, and at 12 o'clock it is. "
WRITE = GenerationSettings(max_new_tokens=10, temperature=1.0)
BUILDS = ("full", "q8_0", "q4_0", "wanda50_q8_0")

REQUESTS = [
    OptionRequest(Prompt(text=STORY * (1 + number % 3) + "Who?" * (number % 5)), options)
    for number, options in enumerate([(" the fox", " the dog"), (" a",), (" the dog is late", " x", " the")] * 5)
]
PROMPTS = [
    GenerationRequest(request.prompt, seed, request.options if seed % 2 else ())
    for seed, request in enumerate(REQUESTS)
]
MANY = [
    GenerationRequest(Prompt(text=f"The {name} {verb}"), seed)
    for seed, (verb, name) in enumerate(
        product(("is", "was", "says", "has"), ("fox", "dog", "man", "nurse", "pilot") * 2)
    )
]
"""Short prompts, more than are continued together."""


@pytest.fixture(scope="module")
def llama(tiny: Any) -> Iterator[LlamaBackend]:
    with LlamaBackend(tiny.gguf, threads=1, context=512, start_token=START) as backend:
        yield backend


text = st.text("abcdefgh the .?", max_size=30)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(text, st.lists(text.filter(bool), min_size=1, max_size=5)), min_size=1, max_size=9))
def test_a_score_is_the_same_in_any_list(llama: LlamaBackend, asked: list[tuple[str, list[str]]]) -> None:
    requests = [OptionRequest(Prompt(text=prompt), tuple(options)) for prompt, options in asked]
    alone = [next(llama.score([request])) for request in requests]
    assert list(llama.score(requests)) == alone
    assert list(llama.score(requests[::-1])) == alone[::-1]


def test_neither_threads_nor_length_change_a_number(llama: LlamaBackend, tiny: Any) -> None:
    with LlamaBackend(tiny.gguf, threads=2, context=384, start_token=START) as other:
        assert list(other.score(REQUESTS)) == list(llama.score(REQUESTS))
        assert list(other.generate(PROMPTS, WRITE)) == list(llama.generate(PROMPTS, WRITE))


@pytest.mark.parametrize("skip", range(len(REQUESTS) + 1))
def test_skipped_answers_leave_the_others_as_they_are(llama: LlamaBackend, skip: int) -> None:
    assert list(llama.score(REQUESTS, skip=skip)) == list(llama.score(REQUESTS))[skip:]
    assert list(llama.generate(PROMPTS, WRITE, skip=skip)) == list(llama.generate(PROMPTS, WRITE))[skip:]


def test_a_text_is_the_same_alone_together_and_continued(llama: LlamaBackend) -> None:
    together = list(llama.generate(PROMPTS, WRITE))
    assert len({generation.text for generation in together}) > len(PROMPTS) // 2
    held = [next(llama.generate([prompt], WRITE)) for prompt in PROMPTS]
    anew = []
    for prompt in PROMPTS[::-1]:
        llama.forget()
        anew.append(next(llama.generate([prompt], WRITE)))
    assert held == together
    assert anew[::-1] == together


def test_a_text_is_the_same_in_the_largest_pack(llama: LlamaBackend) -> None:
    assert len(MANY) > MAX_WRITERS
    together = list(llama.generate(MANY, WRITE))
    assert together == [next(llama.generate([prompt], WRITE)) for prompt in MANY]
    assert together[:7] == list(llama.generate(MANY[:7], WRITE))


def test_the_context_is_used_to_its_last_token(tiny: Any) -> None:
    with LlamaBackend(tiny.gguf, threads=1, context=96, start_token=None) as backend:
        room = 96 - 5
        prompt = Prompt(text="q" * (room - 1))  # and the begin token
        ends = GenerationSettings(max_new_tokens=5)
        alone = next(backend.generate([GenerationRequest(prompt)], ends))
        assert [alone] * 2 == list(backend.generate([GenerationRequest(prompt)] * 2, ends))
        scores = next(backend.score([OptionRequest(prompt, ("zzzzzz",))]))
        assert scores.n_tokens == (6,)


def test_hidden_states_are_those_of_the_last_token(tiny: Any) -> None:
    """Of each option, at every number of rows that are left over from a whole tile."""
    with LlamaBackend(tiny.gguf, threads=1, context=512, start_token=START, capture_hidden=True) as backend:
        request = OptionRequest(Prompt(text="Who?"), ("a", "ab", "abc", "abcd", "abcde"))
        together = next(backend.hidden_states([request]))
        for row, option in enumerate(request.options):
            backend.forget()
            (alone,) = next(backend.hidden_states([OptionRequest(request.prompt, (option,))]))
            np.testing.assert_array_equal(together[row], alone)
        assert len(np.unique(together[:, -1, 0])) == len(request.options)


@pytest.mark.model
@pytest.mark.parametrize("build", BUILDS)
def test_a_real_build_has_the_same_numbers_in_company(real_gguf: Path, build: str) -> None:
    weights = real_gguf.with_name(f"{build}.gguf")
    if not weights.exists():
        pytest.skip(f"{weights} is absent: run the stage 'variants build'")
    requests = [
        OptionRequest(Prompt(text=f"{STORY}The {name} is"), (" late.", " a friend of mine.", " not at home"))
        for name in ("fox", "dog", "man", "woman", "nurse", "pilot")
    ]
    prompts = [GenerationRequest(request.prompt) for request in requests]
    short = GenerationSettings(max_new_tokens=6)
    with LlamaBackend(weights, threads=2, context=1024, start_token=START) as backend:
        assert list(backend.score(requests)) == [next(backend.score([request])) for request in requests]
        together = list(backend.generate(prompts, short))
        assert together == [next(backend.generate([prompt], short)) for prompt in prompts]
        short = GenerationSettings(max_new_tokens=4, temperature=1.0)
        together = list(backend.generate(MANY, short))
        assert together == [next(backend.generate([prompt], short)) for prompt in MANY]
