"""The parity gate: exact numbers, and nothing to go on from after a failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError

main = command("parity")

LOGPROBS = ([-4.0, -6.0], [-3.0, -2.0])


def write(folder: Path, logprobs: Any = LOGPROBS, suite: str = "bbq", **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    table = pd.DataFrame(
        {
            "item_id": [f"{suite}/{number}" for number in range(len(logprobs))],
            "format": "likelihood",
            "template": "question_answer_v1",
            "option_logprobs": list(logprobs),
            "n_tokens": [[2, 2]] * len(logprobs),
            "choice": [max(range(2), key=values.__getitem__) for values in logprobs],
        }
    )
    letters = table.assign(format="letter", option_logprobs=[[0.0, 0.0]] * len(table))
    both = pd.concat([table.assign(**changes), letters]) if changes else pd.concat([table, letters])
    path = folder / f"{suite}.parquet"
    both.to_parquet(path, index=False)
    return path


def gate(tmp_path: Path, llama: Path, torch: Path, *more: str, **tolerances: float) -> dict[str, Any]:
    limits = {
        "max_abs_difference": 0.25,
        "p99_abs_difference": 9,
        "mean_abs_difference": 0.1,
        "min_agreement": 0.98,
    } | tolerances
    output = tmp_path / "model.json"
    files = {"llama": llama, "torch": torch, "output": output}
    flags = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    main(["--settings", json.dumps({"parity": limits}), *flags, *more])
    record: dict[str, Any] = json.loads(output.read_text())
    return record


def test_differences_are_measured_over_likelihood_rows_in_any_order(tmp_path: Path) -> None:
    llama = write(tmp_path / "edge")
    torch = write(tmp_path / "desktop", ([-4.2, -6.0], [-3.0, -2.1]))
    reverse = pd.read_parquet(torch)[::-1]
    reverse.to_parquet(torch, index=False)
    record = gate(tmp_path, llama, torch)
    suite = record["suites"]["bbq"]
    assert record["passed"] is True
    assert (suite["n_items"], suite["n_options"]) == (2, 4)
    assert suite["max_abs_difference"] == pytest.approx(0.2)
    assert suite["p99_abs_difference"] == pytest.approx(0.2)
    assert suite["mean_abs_difference"] == pytest.approx(0.075)
    assert suite["agreement"] == 1.0
    assert suite["n_token_counts_differ"] == 0


@pytest.mark.parametrize(
    ("other", "limits", "message"),
    [
        (([-4.3, -6.0], [-3.0, -2.0]), {}, r"bbq: max \|difference\| 0\.3000 > 0\.25 nats"),
        (
            ([-4.2, -6.0], [-3.0, -2.0]),
            {"p99_abs_difference": 0.1},
            r"bbq: 99 % quantile of \|difference\| 0\.2000 > 0\.1",
        ),
        (([-4.2, -6.2], [-3.2, -2.2]), {}, r"bbq: mean \|difference\| 0\.2000 > 0\.1 nats"),
        (
            ([-4.0, -6.0], [-2.0, -2.1]),
            {"max_abs_difference": 9, "mean_abs_difference": 9},
            r"agreement 0\.5000 < 0\.98",
        ),
        (([-4.0, float("-inf")], [-3.0, -2.0]), {}, r"max \|difference\| inf"),
    ],
)
def test_a_failed_gate_leaves_only_its_numbers(tmp_path: Path, other: Any, limits: Any, message: str) -> None:
    llama = write(tmp_path / "edge")
    gate(tmp_path, llama, llama)
    torch = write(tmp_path / "desktop", other)
    with pytest.raises(InputError, match=message):
        gate(tmp_path, llama, torch, **limits)
    assert not (tmp_path / "model.json").exists()
    assert json.loads((tmp_path / "model.failed.json").read_text())["passed"] is False
    gate(tmp_path, llama, llama)
    assert not (tmp_path / "model.failed.json").exists()


def test_token_counts_fail_the_gate_only_on_demand(tmp_path: Path) -> None:
    llama = write(tmp_path / "edge")
    torch = write(tmp_path / "desktop", n_tokens=[[2, 3], [2, 2]])
    assert gate(tmp_path, llama, torch)["suites"]["bbq"]["n_token_counts_differ"] == 1
    with pytest.raises(InputError, match="1 items have other token counts"):
        gate(tmp_path, llama, torch, "--tokens")


def test_tables_that_do_not_pair_are_refused(tmp_path: Path) -> None:
    llama = write(tmp_path / "edge")
    with pytest.raises(InputError, match="item 'bbq/1'"):
        gate(tmp_path, llama, write(tmp_path / "fewer", LOGPROBS[:1]))
    with pytest.raises(InputError, match="stands where suite 'bbq'"):
        gate(tmp_path, llama, write(tmp_path / "other", suite="stereoset"))
    with pytest.raises(InputError, match="asked in two ways"):
        gate(tmp_path, llama, write(tmp_path / "worded", template="other"))
    with pytest.raises(InputError, match="no 'likelihood' rows"):
        gate(tmp_path, llama, write(tmp_path / "letters", format="letter"))
    with pytest.raises(InputError, match=r"parity\.min_agreement"):
        gate(tmp_path, llama, llama, min_agreement=float("nan"))
