"""The gate: it opens for what it was fitted to open for, and a gated model is steered there and nowhere else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgebias.backends.base import (
    GenerationRequest,
    GenerationSettings,
    Message,
    OptionRequest,
    OptionScores,
    Prompt,
)
from edgebias.backends.local import llama_engine as llama
from edgebias.backends.local.control_vector import apply_control_vector
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.backends.wrapper import CHUNK
from edgebias.core.errors import InputError
from edgebias.core.files import write_json
from edgebias.mitigate.steering import token_embeddings
from edgebias.mitigate.steering.gate import Gate, TokenGate, open_gate, read_gate, words_of
from edgebias.mitigate.steering.gate_fitting import FOLDS, fit_gate
from edgebias.mitigate.steering.gated_backend import GatedBackend
from edgebias.mitigate.steering.token_embeddings import embedding_blocks, embedding_rows

ABOUT = OptionRequest(Prompt(text=""), ("The Zulu fell.", "The guard fell."))
OTHER = OptionRequest(Prompt(text="Rain falls."), (" It is wet.",))


def vector_of(backend: LlamaBackend) -> np.ndarray:
    found = np.random.default_rng(0).normal(0.0, 5.0, (backend.n_layer, backend.n_embd)).astype(np.float32)
    found[0] = 0.0
    return found


def gate_for(backend: LlamaBackend, word: str) -> TokenGate:
    """Opens for requests with the word, whose tokens no other request has."""
    says = np.zeros(60000)
    says[backend.tokenise(word, special=False)] = 1.0
    return TokenGate(says, 1e-9)


def test_requests_are_steered_where_the_gate_opens_and_nowhere_else(backend: LlamaBackend) -> None:
    vector = vector_of(backend)
    requests = [ABOUT, OTHER, ABOUT, *[OTHER] * CHUNK]
    plain = list(backend.score(requests))
    backend.set_control_vector(vector)
    steered = list(backend.score(requests))
    gated = GatedBackend(backend, vector, gate_for(backend, "Z"))
    found = list(gated.score(requests))
    assert found == [steered[0], plain[1], steered[2], *plain[3:]]
    assert steered[1] != plain[1]
    assert gated.opened() == 2 / len(requests)
    assert np.isnan(gated.opened())
    assert list(gated.score(requests, skip=2)) == found[2:]


def test_under_another_vector_only_what_it_steers_is_asked_again(
    backend: LlamaBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests, gate, vector = [ABOUT, OTHER, ABOUT], gate_for(backend, "Z"), vector_of(backend)
    expected = list(GatedBackend(backend, 2 * vector, gate).score(requests))
    known: dict[OptionRequest, OptionScores] = {}
    list(GatedBackend(backend, vector, gate, known).score(requests))
    asked: list[OptionRequest] = []
    score = backend.score
    monkeypatch.setattr(backend, "score", lambda new: (asked.extend(new), score(new))[1])
    assert list(GatedBackend(backend, 2 * vector, gate, known).score(requests)) == expected
    assert asked == [ABOUT, ABOUT]


def test_a_vector_that_acts_already_is_not_set_again(backend: LlamaBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[bool] = []

    def counted(context: object, data: np.ndarray | None, *shape: int) -> bool:
        changes.append(data is not None)
        return apply_control_vector(context, data, *shape)

    monkeypatch.setattr(llama, "apply_control_vector", counted)
    gated = GatedBackend(backend, vector_of(backend), gate_for(backend, "Z"))
    for request in (OTHER, ABOUT, ABOUT, OTHER, OTHER, ABOUT):
        list(gated.score([request]))
    assert changes == [True, False, True]


def test_what_is_written_is_steered_by_what_was_asked(backend: LlamaBackend) -> None:
    vector = vector_of(backend)
    how = GenerationSettings(max_new_tokens=4)
    asked = [GenerationRequest(Prompt(text=text)) for text in ("The Zulu and", "The rain and")]
    plain = list(backend.generate(asked, how))
    backend.set_control_vector(vector)
    steered = list(backend.generate(asked, how))
    found = list(GatedBackend(backend, vector, gate_for(backend, "Z")).generate(asked, how))
    assert [one.text for one in found] == [steered[0].text, plain[1].text]


def test_a_gate_reads_words_and_no_chat_template() -> None:
    assert words_of(Prompt(messages=(Message("system", "Be kind."), Message("user", "Who fell?"))), (" A",)) == (
        "Be kind. Who fell? A"
    )
    assert not TokenGate(np.ones(4), -1.0).opens([])


def test_a_fitted_gate_opens_for_unseen_groups_and_stays_shut_for_other_texts() -> None:
    rng = np.random.default_rng(0)
    wanted, unwanted = rng.normal(0.4, 1.0, (200, 30)), rng.normal(-0.4, 1.0, (300, 30))
    gate, shares = fit_gate(wanted, [f"term {number // 10}" for number in range(200)], unwanted)
    assert shares["opens_for_calibration_items"] == pytest.approx(0.95, abs=0.01)
    assert shares["opens_for_neutral_text"] < 0.1
    new, other = rng.normal(0.4, 1.0, (500, 30)), rng.normal(-0.4, 1.0, (500, 30))
    assert np.mean(new @ gate.normal >= gate.threshold) > 0.9
    assert np.mean(other @ gate.normal >= gate.threshold) < 0.1


def test_the_share_of_neutral_text_is_that_of_unseen_text() -> None:
    """Where nothing tells the two apart, a gate that opens for most of one opens for most of the other."""
    rng = np.random.default_rng(0)
    wanted, unwanted = rng.normal(size=(100, 400)), rng.normal(size=(100, 400))
    _, shares = fit_gate(wanted, [str(number) for number in range(100)], unwanted)
    assert shares["opens_for_neutral_text"] > 0.8


def test_too_few_groups_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=f"{FOLDS} of each"):
        fit_gate(rng.normal(size=(20, 3)), ["a", "b"] * 10, rng.normal(size=(20, 3)))


def test_the_vocabulary_is_read_block_by_block(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_embeddings, "BLOCK", 100_000)
    (whole,) = embedding_blocks(tiny)
    monkeypatch.setattr(token_embeddings, "BLOCK", 100)
    blocks = list(embedding_blocks(tiny))
    assert [len(rows) for rows in blocks[:-1]] == [100] * (len(whole) // 100)
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    np.testing.assert_array_equal(embedding_rows(tiny, [len(whole) - 1, 3]), whole[[-1, 3]])


def test_a_gate_file_is_that_of_its_model(tiny: Path, tmp_path: Path, backend: LlamaBackend) -> None:
    normal = np.random.default_rng(0).normal(size=backend.n_embd)
    write_json({"normal": normal.tolist(), "threshold": 0.25}, tmp_path / "gate.json")
    tokens = backend.tokenise("The cook fell.", special=False)
    mean = embedding_rows(tiny, tokens).mean(axis=0) @ normal
    live = open_gate(tmp_path / "gate.json", tiny)
    assert np.mean(live.says[tokens]) == pytest.approx(mean, rel=1e-4)
    assert live.opens(tokens) == bool(mean >= 0.25)
    with pytest.raises(InputError, match=r"gate\.json: is no gate of a model of width 7"):
        read_gate(tmp_path / "gate.json", 7)
    assert isinstance(read_gate(tmp_path / "gate.json", backend.n_embd), Gate)
