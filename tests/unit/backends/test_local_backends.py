"""llama.cpp and transformers on the same tiny weights: each is the other's oracle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebias.backends.base import (
    Generation,
    GenerationRequest,
    GenerationSettings,
    Message,
    OptionRequest,
    Prompt,
)
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.backends.local.memory_limit import apply_memory_limit, peak_memory_mb
from edgebias.backends.local.torch_engine import TorchBackend
from edgebias.backends.registry import open_backend
from edgebias.core.errors import InputError
from edgebias.infer.answer import AnswerSettings, answer_items
from edgebias.infer.shared_tokens import shared_logprobs
from edgebias.suites.item import Item

START = "<|endoftext|>"
LONG = "the quick brown fox asks whether the lazy dog is at home, and at 12 o'clock it is. "
COMPANY = {"llama": 0.0, "torch": 3e-4}
"""Nats by which other requests of a pack may move a sum: none in llama.cpp."""

VALUES = 0.1
"""Nats of a sum over up to 35 tokens between the backends: llama.cpp keeps values as BF16, with 8 bits of mantissa."""

APART = 0.02
"""Nats by which the mean log-probability of a real model's letter may differ between the backends; 0.004 was found."""

REQUESTS = [
    OptionRequest(Prompt(text=LONG * 2 + "Who?"), (" the fox", " the dog", " a man that nobody named", " x")),
    OptionRequest(Prompt(text=LONG + "Then."), (" the", " a")),
    OptionRequest(Prompt(text=""), ("The fox is slow.", "The fox is quick – naïve.", "The fox is slow")),
    OptionRequest(Prompt(messages=(Message("system", "Be fair."), Message("user", "A or B?"))), ("A", "B")),
]


@pytest.fixture(scope="module")
def llama(tiny: Any) -> Iterator[LlamaBackend]:
    with LlamaBackend(tiny.gguf, threads=1, context=512, start_token=START) as backend:
        yield backend


@pytest.fixture(scope="module")
def torch(tiny: Any) -> Iterator[TorchBackend]:
    with TorchBackend(tiny.folder, threads=1, context=512, start_token=START) as backend:
        yield backend


def _one_token_at_a_time(llama: LlamaBackend, request: OptionRequest) -> list[float]:
    """Chain rule spelled out: score every token of an option as a single option of a longer text prompt."""
    totals = []
    for option in request.options:
        total, text = 0.0, request.prompt.text or ""
        for character in option:
            total += next(llama.score([OptionRequest(Prompt(text=text), (character,))])).logprobs[0]
            text += character
        totals.append(total)
    return totals


def test_a_score_is_the_sum_of_its_tokens(llama: LlamaBackend) -> None:
    # No merge of the tiny vocabulary applies to these letters, so that a character is a token.
    request = OptionRequest(Prompt(text="Who? "), ("John", "Joe", "Xy"))
    together = next(llama.score([request]))
    assert together.n_tokens == (4, 3, 2)
    assert list(together.logprobs) == _one_token_at_a_time(llama, request)


def test_first_tokens_are_a_distribution(llama: LlamaBackend) -> None:
    characters = tuple(chr(code) for code in range(32, 127))
    scores = next(llama.score([OptionRequest(Prompt(text="Who?"), characters)]))  # more options than sequences
    assert 0 < sum(np.exp(scores.logprobs)) <= 1
    alone = next(llama.score([OptionRequest(Prompt(text="Who?"), ("z",))])).logprobs[0]
    assert scores.logprobs[characters.index("z")] == pytest.approx(alone, abs=1e-3)


def test_both_backends_agree_on_tokens_and_scores(llama: LlamaBackend, torch: TorchBackend) -> None:
    for request, ours, theirs in zip(REQUESTS, llama.score(REQUESTS), torch.score(REQUESTS), strict=True):
        assert ours.n_tokens == theirs.n_tokens, request
        np.testing.assert_allclose(ours.logprobs, theirs.logprobs, atol=VALUES)


def test_both_backends_tell_the_tokens_behind_a_sum(llama: LlamaBackend, torch: TorchBackend) -> None:
    crowd = OptionRequest(Prompt(text="Who?"), tuple(f" {chr(code)}x" for code in range(33, 120)))  # in several parts
    asked = [*REQUESTS, crowd]
    for request, ours, theirs in zip(asked, llama.score(asked), torch.score(asked), strict=True):
        assert ours.tokens == theirs.tokens == tuple(tuple(llama.tokenise(o, special=False)) for o in request.options)
        for scores in (ours, theirs):
            assert tuple(map(len, scores.token_logprobs)) == scores.n_tokens
            assert tuple(sum(values) for values in scores.token_logprobs) == scores.logprobs
        for left, right in zip(ours.token_logprobs, theirs.token_logprobs, strict=True):
            np.testing.assert_allclose(left, right, atol=VALUES)


def test_a_token_is_scored_given_what_stands_to_its_left(llama: LlamaBackend) -> None:
    scores = next(llama.score([OptionRequest(Prompt(text="Who? "), ("Jon", "Job", "Jo"))]))
    assert scores.token_logprobs[0][:2] == scores.token_logprobs[1][:2] == scores.token_logprobs[2]
    last = next(llama.score([OptionRequest(Prompt(text="Who? Jo"), ("n", "b"))])).logprobs
    assert (scores.token_logprobs[0][2], scores.token_logprobs[1][2]) == pytest.approx(last, abs=1e-3)


def test_both_backends_write_the_same_greedy_text(llama: LlamaBackend, torch: TorchBackend) -> None:
    requests = [GenerationRequest(request.prompt) for request in REQUESTS]
    settings = GenerationSettings(max_new_tokens=12)
    assert list(llama.generate(requests, settings)) == list(torch.generate(requests, settings))


@pytest.mark.parametrize("name", ["llama", "torch"])
def test_company_in_a_pack_does_not_matter(name: str, request: pytest.FixtureRequest) -> None:
    backend = request.getfixturevalue(name)
    alone = [next(backend.score([each])) for each in REQUESTS]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        packed = list(backend.score([REQUESTS[i] for i in order] * 4))  # more than one pack
        for place, scores in enumerate(packed):
            expected = alone[order[place % 4]]
            assert scores.n_tokens == expected.n_tokens
            np.testing.assert_allclose(scores.logprobs, expected.logprobs, atol=COMPANY[name])


@pytest.mark.parametrize("name", ["llama", "torch"])
def test_the_same_list_has_the_same_numbers_whatever_came_before(name: str, request: pytest.FixtureRequest) -> None:
    backend = request.getfixturevalue(name)
    requests = [GenerationRequest(each.prompt, seed, each.options) for seed, each in enumerate(REQUESTS * 3)]
    settings = GenerationSettings(max_new_tokens=9, temperature=1.0)
    first = list(backend.score(REQUESTS)), list(backend.generate(requests, settings))
    list(backend.generate(requests[2:3], settings))
    assert (list(backend.score(REQUESTS)), list(backend.generate(requests, settings))) == first


@pytest.mark.parametrize("name", ["llama", "torch"])
def test_texts_written_together_are_those_written_alone(name: str, request: pytest.FixtureRequest) -> None:
    backend = request.getfixturevalue(name)
    settings = GenerationSettings(max_new_tokens=12)
    prompts = [each.prompt for each in REQUESTS] + [Prompt(text=LONG + "Who" + "?" * n) for n in range(20)]
    together = list(backend.generate([GenerationRequest(prompt) for prompt in prompts], settings))
    assert together == [next(backend.generate([GenerationRequest(prompt)], settings)) for prompt in prompts]


@pytest.mark.parametrize("name", ["llama", "torch"])
def test_options_scored_while_writing_are_those_of_score(name: str, request: pytest.FixtureRequest) -> None:
    backend = request.getfixturevalue(name)
    asked = [*REQUESTS, OptionRequest(Prompt(text="Who?"), ("A", "B", "C"))]
    expected = list(backend.score(asked))
    settings = GenerationSettings(max_new_tokens=3)
    written = backend.generate([GenerationRequest(each.prompt, 0, each.options) for each in asked], settings)
    for generation, scores in zip(written, expected, strict=True):
        assert generation.scores is not None
        assert generation.scores.n_tokens == scores.n_tokens
        np.testing.assert_allclose(generation.scores.logprobs, scores.logprobs, atol=COMPANY[name])
    assert next(backend.generate([GenerationRequest(Prompt(text="Who?"))], settings)).scores is None


@pytest.mark.parametrize("name", ["llama", "torch"])
def test_a_conversation_costs_its_new_tokens(name: str, tiny: Any, request: pytest.FixtureRequest) -> None:
    """Turn by turn, each given alone, and all anew: the same texts, and one control vector's cache is not another's."""
    backend = request.getfixturevalue(name)
    settings = GenerationSettings(max_new_tokens=4)
    turns = [Prompt(text=LONG * count) for count in (1, 2, 3)]
    held = [next(backend.generate([GenerationRequest(turn)], settings)).text for turn in turns]
    anew = [generation.text for generation in backend.generate([GenerationRequest(turn) for turn in turns], settings)]
    assert held == anew
    if name == "llama":
        reused = int(backend.usage().notes["reused_prompt_tokens"])
        for turn in turns:
            next(backend.generate([GenerationRequest(turn)], settings))
        assert int(backend.usage().notes["reused_prompt_tokens"]) - reused > len(LONG) * 2


@pytest.mark.model
def test_both_backends_agree_on_the_shared_tokens_of_real_pairs(real_gguf: Path) -> None:
    """Within the tolerances of the parity gate (``params.yaml``)."""
    folder = real_gguf.with_suffix(".transformers")
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: run `make data`")
    pairs = [
        ("My grandmother cannot use a phone.", "My granddaughter cannot use a phone."),
        ("The poor never save any money.", "The rich never save any money."),
        ("He was afraid because he was old", "He was afraid because he was young"),
    ]
    requests = [OptionRequest(Prompt(text=""), pair) for pair in pairs]
    with LlamaBackend(real_gguf, threads=1, context=512, start_token=START) as backend:
        ours = [shared_logprobs(scores) for scores in backend.score(requests)]
    with TorchBackend(folder, threads=1, context=512, start_token=START) as backend:
        theirs = [shared_logprobs(scores) for scores in backend.score(requests)]
    differences = np.abs(np.subtract(ours, theirs))
    assert differences.max() <= 0.25
    assert differences.mean() <= 0.03
    assert [first > second for first, second in ours] == [first > second for first, second in theirs]
    for first, second in (ours[2], theirs[2]):
        assert first == second  # every shared token stands before the one that differs


def lettered_item(**changes: Any) -> Item:
    values: dict[str, Any] = {
        **{"item_id": "bbq/Age/00001", "suite": "bbq", "category": "Age", "condition": "ambiguous"},
        **{"context": "A nurse met a pilot.", "question": "Who was late?"},
        **{"options": ("the nurse", "the pilot", "Not known"), "permutation": (2, 0, 1)},
        "roles": ("stereotype", "anti_stereotype", "unknown"),
    }
    return Item(**(values | changes))


@pytest.mark.parametrize("name", ["llama", "torch"])
def test_a_balanced_letter_is_the_mean_of_plain_ones(name: str, request: pytest.FixtureRequest) -> None:
    """Of those asked in each order by themselves, where they are scored before something is written."""
    backend = request.getfixturevalue(name)
    how = AnswerSettings(seed=1, max_new_tokens=2)
    row = answer_items(backend, [lettered_item()], ["letter_balanced"], how).iloc[0]
    plain = []
    for order in permutations(range(3)):
        (letters,) = answer_items(backend, [lettered_item(permutation=order)], ["letter"], how)["option_logprobs"]
        plain.append(letters - np.logaddexp.reduce(letters))
    np.testing.assert_allclose(row["option_logprobs"], np.mean(plain, axis=0), atol=COMPANY[name] + 5e-6)
    assert row["choice"] == np.argmax(np.mean(plain, axis=0))


@pytest.mark.model
def test_both_backends_agree_on_the_balanced_letters_of_a_real_model(real_gguf: Path) -> None:
    """Within what 16-bit arithmetic changes; the same choice wherever that cannot turn it."""
    folder = real_gguf.with_suffix(".transformers")
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: run `make data`")
    people = ("the nurse", "the pilot", "the old man", "the lawyer")
    items = [
        lettered_item(item_id=f"bbq/Age/{n}", context=f"{a} was late and {b} early.", options=(a, b, "Not known"))
        for n, (a, b) in enumerate(permutations(people, 2))
    ]
    how, tables = AnswerSettings(seed=1, max_new_tokens=2), []
    with LlamaBackend(real_gguf, threads=1, context=512, start_token=START) as backend:
        tables.append(answer_items(backend, items, ["letter_balanced"], how))
    with TorchBackend(folder, threads=1, context=512, start_token=START) as backend:
        tables.append(answer_items(backend, items, ["letter_balanced"], how))
    ours, theirs = (np.stack(table["option_logprobs"].to_list()) for table in tables)
    assert np.abs(ours - theirs).max() <= APART
    two_best = np.sort(ours, axis=1)[:, 1:]
    clear = np.diff(two_best, axis=1)[:, 0] > 2 * APART
    assert clear.sum() >= len(items) // 2
    assert (tables[0]["choice"] == tables[1]["choice"])[clear].all()


@pytest.mark.parametrize("name", ["llama", "torch"])
def test_sampling_depends_on_the_seed_alone(name: str, request: pytest.FixtureRequest) -> None:
    backend = request.getfixturevalue(name)
    settings = GenerationSettings(max_new_tokens=10, temperature=1.0)

    def write(seeds: list[int]) -> list[Generation]:
        return list(backend.generate([GenerationRequest(Prompt(text="Who?"), seed) for seed in seeds], settings))

    first = write([1, 2, 3])
    assert first == write([3, 2, 1])[::-1]
    assert len({generation.text for generation in first}) > 1


@pytest.mark.parametrize("name", ["llama", "torch"])
def test_a_stop_string_ends_the_text(name: str, request: pytest.FixtureRequest) -> None:
    backend = request.getfixturevalue(name)
    prompt = [GenerationRequest(Prompt(text=LONG), seed=5)]
    whole = next(backend.generate(prompt, GenerationSettings(20, temperature=1.0))).text
    stop = whole[3]
    cut = next(backend.generate(prompt, GenerationSettings(20, temperature=1.0, stop=(stop,)))).text
    assert cut == whole[: whole.index(stop)]


@pytest.mark.parametrize("name", ["llama", "torch"])
def test_a_request_that_does_not_fit_is_named(name: str, request: pytest.FixtureRequest) -> None:
    backend = request.getfixturevalue(name)
    requests = [REQUESTS[1], OptionRequest(Prompt(text=LONG * 20), (" a",))]
    with pytest.raises(InputError, match=r"request 1: .* the context holds 512"):
        list(backend.score(requests))
    with pytest.raises(InputError, match="request 0: an option is empty"):
        list(backend.score([OptionRequest(Prompt(text="a"), ("",))]))


def test_a_control_vector_acts_and_leaves_no_trace(tiny: Any) -> None:
    with LlamaBackend(tiny.gguf, threads=1, context=512, start_token=START, capture_hidden=True) as backend:
        request = REQUESTS[:1]
        before, states = list(backend.score(request)), next(backend.hidden_states(request))
        vector = np.zeros((backend.n_layer, backend.n_embd), np.float32)
        vector[1] = np.linspace(-1, 1, backend.n_embd)
        backend.set_control_vector(vector)
        steered, moved = list(backend.score(request)), next(backend.hidden_states(request))
        assert max(abs(a - b) for a, b in zip(before[0].logprobs, steered[0].logprobs, strict=True)) > 0.01
        np.testing.assert_array_equal(moved[:, 0], states[:, 0])
        assert not np.allclose(moved[:, 1], states[:, 1])
        backend.set_control_vector(None)
        assert list(backend.score(request)) == before
        np.testing.assert_array_equal(next(backend.hidden_states(request)), states)


def test_a_control_vector_must_fit(llama: LlamaBackend) -> None:
    good = np.zeros((llama.n_layer, llama.n_embd), np.float32)
    for bad in (good[1:], good.astype(np.float64), good + 1, good * np.nan):
        with pytest.raises(ValueError, match="control vector"):
            llama.set_control_vector(bad)
    with pytest.raises(ValueError, match="capture_hidden"):
        next(llama.hidden_states(REQUESTS))


def test_hidden_states_are_those_of_transformers(tiny: Any, torch: TorchBackend) -> None:
    import torch as library

    with LlamaBackend(tiny.gguf, threads=1, context=512, start_token=START, capture_hidden=True) as backend:
        ours = next(backend.hidden_states([OptionRequest(Prompt(text=LONG), (" a dog",))]))
        tokens = backend.tokenise(START, special=True) + backend.tokenise(LONG, special=False)
        tokens += backend.tokenise(" a dog", special=False)
    theirs = torch._model.model(library.tensor([tokens]), output_hidden_states=True).hidden_states
    for block in range(2):  # transformers normalises the last block's output
        expected = theirs[block + 1][0, -1].detach().numpy()
        np.testing.assert_allclose(ours[0, block], expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("repeats", [1, 9])
def test_mean_states_are_those_of_transformers_also_over_several_physical_batches(
    tiny: Any, torch: TorchBackend, repeats: int
) -> None:
    import torch as library

    with LlamaBackend(tiny.gguf, threads=1, context=512, start_token=START, capture_hidden=True) as backend:
        tokens = (backend.tokenise(LONG, special=False) * 9)[: 20 * repeats]
        ours = backend.mean_states(tokens)
        np.testing.assert_array_equal(backend.mean_states(tokens), ours)
        with pytest.raises(InputError, match="the context holds 512"):
            backend.mean_states([1] * 513)
        with pytest.raises(ValueError, match="needs tokens"):
            backend.mean_states([])
    theirs = torch._model.model(library.tensor([tokens]), output_hidden_states=True).hidden_states
    assert len(ours) == len(theirs) - 2  # without the embedding and the last block
    for block, found in enumerate(ours):
        expected = theirs[block + 1][0].mean(dim=0).detach().numpy()
        np.testing.assert_allclose(found, expected, atol=0.02 * np.abs(expected).max())


def test_unusable_files_are_one_line(tiny: Any, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(tiny.gguf.read_bytes()[:-4000])
    foreign = tmp_path / "foreign.gguf"
    foreign.write_bytes(b"PK\x03\x04 not a model")
    for path, reason in (
        (cut, "llama.cpp cannot load it"),
        (foreign, "no GGUF"),
        (tmp_path / "none", "cannot be read"),
    ):
        with pytest.raises(InputError, match=reason) as caught:
            LlamaBackend(path, threads=1, context=512, start_token=None)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match=r"no config\.json"):
        TorchBackend(tmp_path / "folder", threads=1, context=512, start_token=None)
    with pytest.raises(InputError, match="was trained for 512"):
        LlamaBackend(tiny.gguf, threads=1, context=4096, start_token=None)
    with pytest.raises(InputError, match="is not one token"):
        LlamaBackend(tiny.gguf, threads=1, context=512, start_token="<|nothing|>")


def test_open_backend_names_what_is_wrong(tiny: Any) -> None:
    limits = {"threads": 1, "context": 512}
    with (
        open_backend({"backend": "llama", **limits}, {"start_token": START}, tiny.gguf) as backend,
        LlamaBackend(tiny.gguf, threads=1, context=512, start_token=START) as expected,
    ):
        assert list(backend.score(REQUESTS)) == list(expected.score(REQUESTS))
    for environment, weights, reason in (
        ({"backend": "abacus", **limits}, tiny.gguf, "unknown; choose one of llama, openai, recorded, torch"),
        ({"backend": "llama", "threads": 1}, tiny.gguf, "'context' is missing"),
        ({"backend": "torch", **limits}, None, "give --weights"),
    ):
        with pytest.raises(InputError, match=reason):
            open_backend(environment, {}, weights)


def test_a_memory_limit_smaller_than_the_weights_is_refused_at_once(tmp_path: Path) -> None:
    weights = tmp_path / "large.gguf"
    with weights.open("wb") as file:
        file.truncate(80 << 20)
    with pytest.raises(InputError, match="64 MB cannot hold"):
        apply_memory_limit({"backend": "llama", "memory_mb": 64}, weights)
    apply_memory_limit({"backend": "torch", "memory_mb": 64}, weights)
    assert peak_memory_mb() > 10


@pytest.mark.parametrize("slack", [2, 6, 12, 24, 48])
def test_the_memory_limit_bites_in_one_line(tiny: Any, slack: int) -> None:
    """Limits just above what Python itself takes: the large context cannot be had, wherever the allocation fails."""
    code = f"""
import numpy, edgebias.backends.local.llama_engine
from pathlib import Path
from edgebias.backends.base import OptionRequest, Prompt
from edgebias.backends.local.memory_limit import apply_memory_limit
from edgebias.core.errors import run_stage
def main(argv=None):
    used = int(next(l for l in open("/proc/self/status") if l.startswith("VmData")).split()[1]) // 1024
    limit = used + {slack}
    weights = Path({str(tiny.gguf)!r})
    apply_memory_limit({{"backend": "llama", "memory_mb": limit}}, weights)
    keep = []
    for _ in range(200):
        keep.append(edgebias.backends.local.llama_engine.LlamaBackend(
            weights, threads=1, context=512, start_token=None, memory_mb=limit))
run_stage(main)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    assert "memory limit" in done.stderr
