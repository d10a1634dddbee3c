"""The model card says what the tables say, and what is not known as not known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from edgebias.core.errors import InputError
from edgebias.mitigate.card import card_text
from edgebias.mitigate.reductions import MITIGATION_COLUMNS
from edgebias.mitigate.steering.vector_file import vector_bytes, write_control_vector

STATE = {
    "directions": "learned",
    "suites": ["stereoset"],
    "stopped": "rounds_over",
    "rounds": 7,
    "window": 32,
    "calibration_items": 120,
    "calibration_before": {"bias": 62.0, "low": 55.0, "high": 70.0},
    "calibration_after": {"bias": 51.0, "low": 45.0, "high": 57.0},
}


def row(metric: str, estimate: float, **more: Any) -> dict[str, Any]:
    plain = {"suite": "stereoset", "format": "likelihood", "category": "all", "ideal": 50.0, "headroom": ""}
    return plain | {"metric": metric, "estimate": estimate, "low": estimate - 1, "high": estimate + 1} | more


def card(after: list[dict[str, Any]], vector_size: int) -> str:
    before = pd.DataFrame([row("ss", 61.0)], columns=list(MITIGATION_COLUMNS))
    table = pd.DataFrame(after, columns=list(MITIGATION_COLUMNS))
    return card_text("edge/model/q8_0", STATE, before, table, vector_size)


def test_the_card_holds_scores_reduction_cost_and_the_end_of_the_loop() -> None:
    text = card(
        [row("ss", 54.0), row("reduction", 7.0, headroom="yes: baseline 61"), row("relative_reduction", 63.0)],
        66816,
    )
    assert "| stereoset | ss (likelihood) | 50 | 61.0 [60.0, 62.0] | 54.0 [53.0, 55.0] |" in text
    assert "| stereoset (likelihood) | 7.0 [6.0, 8.0] | 63.0 [62.0, 64.0] | yes: baseline 61 |" in text
    assert "66 816 bytes" in text
    assert "did not converge in the rounds that it had: stereotype rate of the calibration items 62.0 before" in text
    assert "51.0 [45.0, 57.0] after" in text
    assert "--model q8_0.gguf --control-vector control_vector.gguf" in text


def test_what_is_not_defined_is_said_to_be_so() -> None:
    text = card(
        [row("ss", 54.0), row("reduction", 7.0, headroom="no: noise"), row("relative_reduction", float("nan"))],
        0,
    )
    assert "| stereoset (likelihood) | 7.0 [6.0, 8.0] | undefined | no: noise |" in text


def test_the_size_of_a_vector_is_that_of_its_file(tmp_path: Path) -> None:
    write_control_vector(np.zeros((30, 576), dtype=np.float32), tmp_path / "vector.gguf", "llama")
    assert vector_bytes(tmp_path / "vector.gguf") == 29 * 576 * 4
    (tmp_path / "broken.gguf").write_text("no vector")
    with pytest.raises(InputError, match=r"broken\.gguf: not a GGUF file"):
        vector_bytes(tmp_path / "broken.gguf")


def test_a_vector_that_was_fitted_behind_a_gate_is_served_behind_it_and_the_card_says_why() -> None:
    before = pd.DataFrame([row("ss", 61.0)], columns=list(MITIGATION_COLUMNS))
    gate = {"opens_for_calibration_items": 0.95, "opens_for_neutral_text": 0.021}
    text = card_text("edge/model/q8_0", STATE, before, before, 8, gate)
    assert "edgebias serve --weights q8_0.gguf --control-vector control_vector.gguf --gate ../gate.json" in text
    assert "llama-server --model" not in text
    assert "the gate opens: 95 % of the calibration items and 2 % of other texts" in text
    assert "there is no gate" not in text
    assert "there is no gate" in card([row("ss", 54.0)], 8)


def test_a_vector_that_was_learned_from_questions_says_what_it_may_have_learned() -> None:
    before = pd.DataFrame([row("ss", 61.0)], columns=list(MITIGATION_COLUMNS))
    text = card_text("edge/m/q8_0", STATE | {"suites": ["bbq", "stereoset"]}, before, before, 8)
    assert 'when to say "unknown"' in text
    assert 'when to say "unknown"' not in card([row("ss", 54.0)], 8)
