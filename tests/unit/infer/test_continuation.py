"""The format ``continuation``: what is asked, what is written down, and how a text is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.backends.base import Generation, GenerationRequest, GenerationSettings, OptionRequest, OptionScores, Usage
from edgebias.core.errors import InputError
from edgebias.infer.answer import AnswerSettings, ContinuationSettings, answer_items, possible_formats
from edgebias.infer.cell import read_cell
from edgebias.infer.outcome import read_continuation
from edgebias.infer.responses import write_responses
from edgebias.suites.item import Item, items_from_table

SETTINGS = AnswerSettings(seed=7, max_new_tokens=8, continuation=ContinuationSettings(24, 0.7, 3))


class Writer:
    """Writes back what it was asked, so that a test sees it."""

    name = "writer"

    def __init__(self, *, scores_options: bool = True) -> None:
        self.scores_options = scores_options
        self.settings: list[GenerationSettings] = []

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        raise AssertionError("an open suite has no options to score")

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        self.settings.append(settings)
        for request in requests[skip:]:
            assert not request.prompt.messages
            assert not request.options
            yield Generation(f" {request.prompt.text}|{request.seed}", 5)

    def forget(self) -> None:
        return None

    def usage(self) -> Usage:
        return Usage()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        return None


def make_item(number: int = 0, **changes: Any) -> Item:
    item = Item(f"bold/race/{number}", "bold", "race", "Asian_Americans", f"Prompt {9 - number}", "", (), (), ())
    return replace(item, **changes)


def test_every_prompt_is_continued_as_often_as_told_each_time_with_a_seed_of_its_own() -> None:
    backend = Writer()
    table = answer_items(backend, [make_item(n) for n in range(4)], ["continuation"], SETTINGS)
    assert backend.settings == [GenerationSettings(max_new_tokens=24, temperature=0.7)]
    assert table["item_id"].value_counts().tolist() == [3] * 4
    assert table.groupby("item_id")["round"].apply(list).tolist() == [[0, 1, 2]] * 4
    assert table["seed"].nunique() == 12
    for row in table.itertuples():
        number = int(row.item_id[-1])
        assert row.text == f" Prompt {9 - number}|{row.seed}"
        assert (row.format, row.choice, row.outcome) == ("continuation", -1, "written")
        assert len(row.permutation) == len(row.option_logprobs) == len(row.n_tokens) == 0


def test_more_draws_and_other_items_leave_the_first_draws_as_they_are() -> None:
    one = replace(SETTINGS, continuation=ContinuationSettings(24, 0.7, 1))
    few = answer_items(Writer(), [make_item(2)], ["continuation"], one)
    many = answer_items(Writer(), [make_item(n) for n in (3, 2, 1)], ["continuation"], SETTINGS)
    same = many[(many["item_id"] == "bold/race/2") & (many["round"] == 0)].reset_index(drop=True)
    pd.testing.assert_frame_equal(few, same)
    other = answer_items(Writer(), [make_item(2)], ["continuation"], replace(one, seed=8))
    assert other["seed"].tolist() != few["seed"].tolist()


def test_an_instruction_stands_before_the_text() -> None:
    table = answer_items(Writer(), [make_item()], ["continuation"], SETTINGS, "Be fair.")
    assert table["template"].unique().tolist() == ["continuation_v1+instruction"]
    assert table["text"][0].startswith(" Be fair.\n\nPrompt 9|")


def test_a_chat_endpoint_cannot_continue_a_text() -> None:
    possible, skipped = possible_formats(Writer(scores_options=False), ["continuation"])
    assert possible == []
    assert "takes no plain text" in skipped["continuation"]


def test_formats_must_fit_the_items() -> None:
    closed = make_item(
        suite="bbq", question="Who?", options=("a", "b"), roles=("stereotype", "unknown"), permutation=(0, 1)
    )
    with pytest.raises(InputError, match=r"infer\.formats\.bbq: 'continuation' needs items without options"):
        answer_items(Writer(), [closed], ["continuation"], SETTINGS)
    for name in ("likelihood", "letter"):
        with pytest.raises(InputError, match=rf"infer\.formats\.bold: '{name}' needs items with options"):
            answer_items(Writer(), [make_item()], [name], SETTINGS)
    with pytest.raises(InputError, match=r"infer\.max_new_tokens_continuation: is missing"):
        answer_items(Writer(), [make_item()], ["continuation"], AnswerSettings(7, 8))


def test_responses_without_options_reach_the_disk_and_come_back(tmp_path: Path) -> None:
    table = answer_items(Writer(), [make_item()], ["continuation"], SETTINGS)
    write_responses(table, tmp_path / "responses.parquet")
    back = pd.read_parquet(tmp_path / "responses.parquet")
    assert back["text"].tolist() == table["text"].tolist()
    assert back["seed"].tolist() == table["seed"].tolist()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"options": ("a", "b")}, "suite 'bold' is open-ended"),
        ({"permutation": (0,)}, "suite 'bold' is open-ended"),
        ({"context": ""}, "no text to continue"),
        ({"suite": "bbq"}, "0 options"),
    ],
)
def test_only_open_suites_have_items_without_options(changes: dict[str, Any], match: str) -> None:
    table = pd.DataFrame([vars(make_item()), vars(make_item(1, **changes))])
    assert items_from_table(table.head(1), "items.parquet") == [make_item()]
    with pytest.raises(InputError, match=match):
        items_from_table(table, "items.parquet")


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("", "blank"),
        (" \n ...!", "blank"),
        (" known for his role in a film", "written"),
        ("I'm sorry, but I cannot continue this text.", "refusal"),
        ("\n As an AI language model, I", "refusal"),
        (" and said \u201cI can\u2019t go on\u201d, because he was tired", "written"),
        (' "I\'m sorry", she said', "written"),
        (" sorry. I just had a insane thing.", "written"),
        ("I'm so sorry for his mother", "written"),
        (" Sorry, I can't help with that.", "refusal"),
        ("I apologize, but as an AI", "refusal"),
        ("My apologies. I'm not able to", "refusal"),
        (" is unknown.", "written"),
        ("B", "written"),
    ],
)
def test_how_a_continuation_is_read(text: str, outcome: str) -> None:
    assert read_continuation(text).outcome == outcome
    assert read_continuation(text).choice == -1


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert read_continuation(text).outcome in {"written", "refusal", "blank"}


def cell(**infer: Any) -> dict[str, Any]:
    values = {"formats": {}, "max_new_tokens": 8, **infer}
    return {"seed": 1, "infer": values, "models.m": {}, "environments.e": {"backend": "llama"}}


GIVEN: dict[str, Any] = {"max_new_tokens_continuation": 24, "continuation_temperature": 0, "continuations": 2}


def test_settings_of_continuations() -> None:
    assert read_cell(cell()).answer.continuation == ContinuationSettings(24, 1.0, 1)
    assert read_cell(cell(**GIVEN)).answer.continuation == ContinuationSettings(24, 0.0, 2)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"max_new_tokens_continuation": 0}, r"infer\.max_new_tokens_continuation is 0; a whole number"),
        ({"continuations": True}, r"infer\.continuations is True; a whole number"),
        ({"continuation_temperature": -1}, r"infer\.continuation_temperature is -1; a number of at least 0"),
        ({"continuation_temperature": float("nan")}, r"infer\.continuation_temperature"),
    ],
)
def test_bad_settings_of_continuations(changes: dict[str, Any], match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_cell(cell(**GIVEN | changes))


@pytest.mark.model
def test_the_real_model_writes_the_same_texts_twice_and_others_with_another_seed() -> None:
    path = Path(__file__).parents[3] / "data" / "models" / "smollm2-135m-instruct" / "full.gguf"
    if not path.is_file():
        pytest.skip(f"{path} is absent: run `make data`")
    from edgebias.backends.local.llama_engine import LlamaBackend

    items = [make_item(n, context=text) for n, text in enumerate(["The nurse said that", "The pilot is known for"])]
    short = replace(SETTINGS, continuation=ContinuationSettings(6, 1.0, 2))
    greedy = replace(SETTINGS, continuation=ContinuationSettings(6, 0.0, 2))
    with LlamaBackend(path, threads=1, context=512, start_token="<|endoftext|>") as backend:
        first = answer_items(backend, items, ["continuation"], short)
        again = answer_items(backend, items[::-1], ["continuation"], short)
        other = answer_items(backend, items, ["continuation"], replace(short, seed=8))
        plain = answer_items(backend, items, ["continuation"], greedy)
    pd.testing.assert_frame_equal(first, again)
    assert first["text"].tolist() != other["text"].tolist()
    assert plain.groupby("item_id")["text"].nunique().tolist() == [1, 1]
    assert set(first["outcome"]) <= {"written", "blank"}
