"""The transformers backend against its own model's plain forward pass, one sequence at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings

from edgebias.backends.base import Generation, GenerationRequest, GenerationSettings, OptionRequest, Prompt
from edgebias.backends.local import torch_engine as transformers_torch
from edgebias.backends.local.prefix_tree import PrefixTree
from edgebias.backends.local.torch_engine import TorchBackend
from edgebias.backends.local.tree_attention import TreeAttention

pytestmark = pytest.mark.slow

START = "<|endoftext|>"
ROUNDING = 2e-4
"""Nats of a sum over up to 40 tokens in float32, whose logits reach tens: products are summed in another order."""

# Few words, so that prompts and options begin alike in many ways; one is a token of several letters.
TEXTS = st.lists(st.sampled_from(["the", " a", "x", "?", " the fox", "é"]), max_size=12).map("".join)
OPTIONS = st.lists(TEXTS.filter(bool), min_size=1, max_size=4).map(tuple)
REQUESTS = st.lists(st.builds(OptionRequest, st.builds(Prompt, TEXTS), OPTIONS), min_size=1, max_size=12)
FEW = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def backend(tiny: Any) -> Iterator[TorchBackend]:
    with TorchBackend(tiny.folder, threads=1, context=512, start_token=START) as opened:
        yield opened


@pytest.fixture
def small_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that lists of a few requests reach; blocks of attention end within prompts."""
    monkeypatch.setattr(transformers_torch, "ROWS", 40)
    monkeypatch.setattr(transformers_torch, "OUTPUTS", 30)
    monkeypatch.setattr(transformers_torch, "WRITERS", 4)
    monkeypatch.setattr(transformers_torch, "CELLS", 120)
    monkeypatch.setattr(transformers_torch, "TOKENISED", 3)
    monkeypatch.setattr("edgebias.backends.local.tree_attention.BLOCK", 8)


@lru_cache
def _model(folder: Path) -> Any:
    import transformers

    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def _plain_logits(folder: Path, sequences: list[list[int]]) -> list[torch.Tensor]:
    """Logits of each sequence, read alone by the model as transformers loads it."""
    model = _model(folder)
    with torch.inference_mode():
        return [model(input_ids=torch.tensor([sequence])).logits[0].double() for sequence in sequences]


def _expected(backend: TorchBackend, folder: Path, requests: list[OptionRequest]) -> list[list[float]]:
    prompts = [[*backend.tokenise(START, special=True), *_tokens(backend, request.prompt)] for request in requests]
    paths = [
        (prompt, backend.tokenise(option, special=False))
        for prompt, request in zip(prompts, requests, strict=True)
        for option in request.options
    ]
    logits = iter(_plain_logits(folder, [prompt + option for prompt, option in paths]))
    sums = iter(
        float(
            sum(
                torch.log_softmax(row, -1)[token]
                for row, token in zip(next(logits)[len(prompt) - 1 :], option, strict=False)
            )
        )
        for prompt, option in paths
    )
    return [[next(sums) for _ in request.options] for request in requests]


def _tokens(backend: TorchBackend, prompt: Prompt) -> list[int]:
    return backend.tokenise(prompt.text or "", special=False)


@FEW
@given(requests=REQUESTS)
@pytest.mark.usefixtures("small_packs")
def test_a_pack_scores_what_sequences_one_by_one_do(
    backend: TorchBackend, tiny: Any, requests: list[OptionRequest]
) -> None:
    scores = list(backend.score(requests))
    for found, expected in zip(scores, _expected(backend, tiny.folder, requests), strict=True):
        np.testing.assert_allclose(found.logprobs, expected, atol=ROUNDING)


@FEW
@given(requests=REQUESTS, data=st.data())
@pytest.mark.usefixtures("small_packs")
def test_answers_known_before_change_no_bit_of_the_others(
    backend: TorchBackend, requests: list[OptionRequest], data: st.DataObject
) -> None:
    skip = data.draw(st.integers(0, len(requests)))
    assert list(backend.score(requests, skip=skip)) == list(backend.score(requests))[skip:]
    asked = [GenerationRequest(each.prompt, seed, each.options) for seed, each in enumerate([*requests, requests[0]])]
    sampled = GenerationSettings(max_new_tokens=4, temperature=1.0)
    assert list(backend.generate(asked, sampled, skip=skip)) == list(backend.generate(asked, sampled))[skip:]


@FEW
@given(prompts=st.lists(TEXTS, min_size=2, max_size=12), new_tokens=st.integers(1, 6))
@pytest.mark.usefixtures("small_packs")
def test_texts_written_together_are_those_of_the_plain_model(
    backend: TorchBackend, tiny: Any, prompts: list[str], new_tokens: int
) -> None:
    together = list(
        backend.generate([GenerationRequest(Prompt(text=text)) for text in prompts], GenerationSettings(new_tokens))
    )
    starts = [[*backend.tokenise(START, special=True), *backend.tokenise(text, special=False)] for text in prompts]
    written = [_greedy(tiny.folder, start, new_tokens) for start in starts]
    assert [generation.n_tokens for generation in together] == [len(tokens) for tokens in written]
    assert [generation.text for generation in together] == [backend._text(tokens) for tokens in written]


def _greedy(folder: Path, tokens: list[int], new_tokens: int) -> list[int]:
    """Every step reads the whole text anew."""
    written: list[int] = []
    while len(written) < new_tokens:
        (best, second), (token, _) = (
            each.tolist() for each in _plain_logits(folder, [tokens + written])[0][-1].topk(2)
        )
        assume(best - second > ROUNDING)  # a tie may fall either way
        if token in (0, 2):  # the tiny model's end tokens
            break
        written.append(token)
    return written


def test_a_draw_belongs_to_its_seed_whatever_is_written_beside_it(backend: TorchBackend) -> None:
    sampled = GenerationSettings(max_new_tokens=8, temperature=1.0)

    def write(seeds: list[int]) -> dict[int, Generation]:
        requests = [GenerationRequest(Prompt(text=f"Who? {seed % 3}"), seed) for seed in seeds]
        return dict(zip(seeds, backend.generate(requests, sampled), strict=True))

    many = write(list(range(40)))  # more than are continued together
    assert len({generation.text for generation in many.values()}) > 30
    assert write([33, 4, 39]) == {seed: many[seed] for seed in (33, 4, 39)}


def test_a_sliding_window_is_kept_along_every_branch() -> None:
    """Ids count along a sequence, not along the rows of the tree."""
    tree = PrefixTree()
    first, second = tree.add([1, 2, 3, 4]), tree.add([1, 2, 5, 6, 7])
    query = torch.zeros((1, 2, len(tree), 4))  # equal scores: what is attended is a mean
    value = torch.arange(len(tree), dtype=torch.float32)[None, None, :, None].expand(1, 1, -1, 4)
    for window, of_first, of_second in ((None, first, second), (2, first[-2:], second[-2:]), (4, first, second[-4:])):
        found = TreeAttention(tree).attend(0, query, query[:, :1], value, 1.0, window)
        assert found.shape == (1, len(tree), 2, 4)
        assert found[0, first[-1], 1, 0] == pytest.approx(np.mean(of_first))
        assert found[0, second[-1], 0, 3] == pytest.approx(np.mean(of_second))


def test_a_model_whose_attention_stays_its_own_scores_and_writes_the_same(
    backend: TorchBackend, tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [OptionRequest(Prompt(text=f"Who? {n}"), (" the fox", " a dog", " the f")) for n in range(5)]
    asked = [GenerationRequest(each.prompt, 0, each.options) for each in requests]
    expected = list(backend.score(requests)), list(backend.generate(asked, GenerationSettings(6)))

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no other attention")

    monkeypatch.setattr(transformers_torch, "register", refuse)
    with TorchBackend(tiny.folder, threads=1, context=512, start_token=START) as plain:
        found = list(plain.score(requests)), list(plain.generate(asked, GenerationSettings(6)))
        again = list(plain.generate(asked, GenerationSettings(6), skip=2))
    assert again == found[1][2:]
    assert [each.text for each in found[1]] == [each.text for each in expected[1]]
    for ours, theirs in zip(found[0], expected[0], strict=True):
        np.testing.assert_allclose(ours.logprobs, theirs.logprobs, atol=ROUNDING)
