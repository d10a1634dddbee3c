"""What the arithmetic of two backends changes: exact numbers, by suite and format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.suites.formats import LETTER, LIKELIHOOD

main = command("arithmetic")

LOGPROBS = ([-4.0, -6.0], [-3.0, -2.0])


def write(folder: Path, logprobs: Any = LOGPROBS, suite: str = "bbq", **changes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    table = pd.DataFrame(
        {
            "item_id": [f"{suite}/{number}" for number in range(len(logprobs))],
            "format": LIKELIHOOD,
            "template": "question_answer_v1",
            "text": "",
            "option_logprobs": list(logprobs),
            "n_tokens": [[2, 2]] * len(logprobs),
            "choice": [max(range(2), key=values.__getitem__) for values in logprobs],
        }
    ).assign(**changes)
    path = folder / f"{suite}.parquet"
    table.to_parquet(path, index=False)
    return path


def with_letters(path: Path, **changes: Any) -> Path:
    table = pd.read_parquet(path)
    letters = table.assign(format=LETTER, template="letter_chat_v1", text=["A", "B"]).assign(**changes)
    pd.concat([table, letters]).to_parquet(path, index=False)
    return path


def compared(tmp_path: Path, llama: Path, torch: Path) -> dict[str, Any]:
    output = tmp_path / "model.json"
    main(["--llama", str(llama), "--torch", str(torch), "--output", str(output)])
    found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return found


def test_differences_of_likelihoods_in_any_order_of_rows(tmp_path: Path) -> None:
    """Over all options, and by item for the preferred one."""
    llama = write(tmp_path / "edge")
    torch = write(tmp_path / "desktop", ([-4.2, -6.0], [-1.0, -2.1]), n_tokens=[[2, 3], [2, 2]])
    pd.read_parquet(torch)[::-1].to_parquet(torch, index=False)
    found = compared(tmp_path, llama, torch)["bbq"][LIKELIHOOD]
    assert (found["n_items"], found["n_options"]) == (2, 4)
    assert found["max_abs_difference"] == pytest.approx(2.0)
    assert found["p99_abs_difference"] == pytest.approx(2.0)
    assert found["mean_abs_difference"] == pytest.approx(0.575)
    assert found["agreement"] == 0.5
    assert found["n_token_counts_differ"] == 1


def test_letters_have_numbers_of_their_own(tmp_path: Path) -> None:
    """A text that names no letter is told, and is no other answer."""
    llama = with_letters(write(tmp_path / "edge"))
    torch = with_letters(
        write(tmp_path / "desktop"),
        option_logprobs=[[-4.01, -6.0], [-3.0, -2.0]],
        text=["A", "Because"],
        choice=[0, -1],
    )
    found = compared(tmp_path, llama, torch)["bbq"]
    assert found[LIKELIHOOD]["max_abs_difference"] == 0
    assert found[LETTER]["max_abs_difference"] == pytest.approx(0.01)
    assert found[LETTER]["agreement"] == 1
    assert found[LETTER]["n_texts_differ"] == 1
    assert found[LETTER]["first_text"] == {"item_id": "bbq/1", "llama": "B", "transformers": "Because"}


@pytest.mark.parametrize(
    "other", [{"choice": [0, 0]}, {"option_logprobs": [[-4.0, -6.0], [-1.0, -2.0]]}], ids=["read", "likeliest"]
)
def test_another_letter_is_another_answer(other: dict[str, Any], tmp_path: Path) -> None:
    """Read or preferred."""
    llama = with_letters(write(tmp_path / "edge"))
    torch = with_letters(write(tmp_path / "desktop"), **other)
    assert compared(tmp_path, llama, torch)["bbq"][LETTER]["agreement"] == 0.5


def test_tables_that_do_not_pair_are_refused(tmp_path: Path) -> None:
    """One line names the file and what is wrong."""
    llama = write(tmp_path / "edge")
    with pytest.raises(InputError, match="item 'bbq/1' as likelihood"):
        compared(tmp_path, llama, write(tmp_path / "fewer", LOGPROBS[:1]))
    with pytest.raises(InputError, match="item 'bbq/0' as letter"):
        compared(tmp_path, llama, with_letters(write(tmp_path / "more")))
    with pytest.raises(InputError, match="stands where suite 'bbq'"):
        compared(tmp_path, llama, write(tmp_path / "other", suite="stereoset"))
    with pytest.raises(InputError, match="asked in two ways"):
        compared(tmp_path, llama, write(tmp_path / "worded", template="other"))
    texts = write(tmp_path / "texts", format="open")
    with pytest.raises(InputError, match="no rows in likelihood or likelihood_chat or letter"):
        compared(tmp_path, texts, write(tmp_path / "others", format="open"))
