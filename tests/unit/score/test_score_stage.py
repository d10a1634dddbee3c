from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.score.table import SCORE_COLUMNS

main = command("score")
main_rounds = command("score-rounds")

SETTINGS = '{"seed": 7, "score": {"resamples": 200, "confidence": 0.95}}'


def write(folder: Path, items: pd.DataFrame, responses: pd.DataFrame) -> list[str]:
    items.to_parquet(folder / "items.parquet")
    responses.to_parquet(folder / "responses.parquet")
    return [
        *("--settings", SETTINGS, "--suite", "forced_choice", "--items", str(folder / "items.parquet")),
        *("--responses", str(folder / "responses.parquet"), "--output", str(folder / "scores.csv")),
    ]


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Twelve binary items in six clusters; two of three answers follow the stereotype."""
    items, responses = [], []
    for number in range(12):
        item_id = f"forced_choice/{number:02d}"
        items.append(
            {
                **{"item_id": item_id, "suite": "forced_choice", "category": "age" if number < 6 else "race"},
                **{"cluster": f"c{number // 2}", "condition": "binary", "options": ["he", "she"], "label": -1},
                **{"roles": ["stereotype", "anti_stereotype"], "permutation": [0, 1], "split": "held_out"},
            }
        )
        choice = 0 if number % 3 else 1
        for form in ("letter", "likelihood"):
            responses.append(
                {
                    **{"item_id": item_id, "format": form, "permutation": [1, 0] if form == "letter" else [0, 1]},
                    **{"template": "plain", "round": 0, "option_logprobs": [-1.0, -2.0], "n_tokens": [1, 1]},
                    **{"choice": choice, "outcome": items[-1]["roles"][choice]},
                }
            )
    return pd.DataFrame(items), pd.DataFrame(responses)


def score(folder: Path, items: pd.DataFrame, responses: pd.DataFrame) -> pd.DataFrame:
    main(write(folder, items, responses))
    return pd.read_csv(folder / "scores.csv").set_index(["format", "category", "metric"])


def test_scores_each_format_and_category(tmp_path: Path) -> None:
    table = score(tmp_path, *tables())
    assert [*table.index.names, *table.columns] == [
        *("format", "category", "metric"),
        *(name for name in SCORE_COLUMNS if name not in ("format", "category", "metric")),
    ]
    assert table.loc[("letter", "all", "stereotype_rate"), "estimate"] == pytest.approx(200 / 3)
    # letter A showed the second option, so the four anti-stereotypical choices are the first ones
    assert table.loc[("letter", "all", "first_option_rate_binary"), "estimate"] == pytest.approx(100 / 3)
    assert ("likelihood", "all", "first_option_rate_binary") not in table.index
    assert set(table.index.get_level_values("category")) == {"all", "age", "race"}
    row = table.loc[("likelihood", "all", "stereotype_rate")]
    assert row["low"] < row["estimate"] < row["high"]
    assert (row["n"], row["n_clusters"], row["coverage"]) == (12, 6, 1.0)
    assert row["bound_low"] == row["bound_high"] == row["estimate"]


def test_position_bias_exists_where_options_were_shown_in_an_order(tmp_path: Path) -> None:
    items, responses = tables()
    letters = responses[responses["format"] == "letter"]
    without = letters.assign(option_logprobs=[[]] * 12, n_tokens=[[]] * 12)
    listed, free = without.assign(format="option_text"), without.assign(format="open", permutation=[[0, 1]] * 12)
    balanced = letters.assign(format="letter_balanced")
    table = score(tmp_path, items, pd.concat([letters, balanced, listed, free]))
    for form in ("letter_balanced", "option_text"):
        assert table.loc[(form, "all", "first_option_rate_binary"), "estimate"] == pytest.approx(100 / 3)
    assert ("open", "all", "first_option_rate_binary") not in table.index
    assert table.loc[("open", "all", "stereotype_rate"), "estimate"] == pytest.approx(200 / 3)


def test_same_bytes_whatever_the_order_of_rows(tmp_path: Path) -> None:
    items, responses = tables()
    main(write(tmp_path, items, responses))
    first = (tmp_path / "scores.csv").read_bytes()
    main(write(tmp_path, items.sample(frac=1, random_state=1), responses.sample(frac=1, random_state=2)))
    assert (tmp_path / "scores.csv").read_bytes() == first


def test_silence_moves_coverage_and_not_the_score(tmp_path: Path) -> None:
    items, responses = tables()
    before = score(tmp_path, items, responses).loc[("letter", "all", "stereotype_rate")]
    silent = items.assign(item_id=items["item_id"] + "-silent")
    answers = responses.assign(item_id=responses["item_id"] + "-silent", choice=-1, outcome="refusal")
    after = score(
        tmp_path, pd.concat([items, silent], ignore_index=True), pd.concat([responses, answers], ignore_index=True)
    ).loc[("letter", "all", "stereotype_rate")]
    assert after[["estimate", "low", "high", "n"]].equals(before[["estimate", "low", "high", "n"]])
    assert (before["coverage"], after["coverage"], after["n_refusal"]) == (1.0, 0.5, 12)
    assert (after["bound_low"], after["bound_high"]) == pytest.approx((100 / 3, 250 / 3))  # 8 and 20 of 24


def change(frame: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    changed = frame.copy()
    changed[column] = [value, *changed[column].tolist()[1:]]
    return changed


def shared(frame: pd.DataFrame, value: list[float]) -> pd.DataFrame:
    return change(frame.assign(shared_logprobs=[[]] * len(frame)), "shared_logprobs", value)


@pytest.mark.parametrize(
    ("items_of", "responses_of", "message"),
    [
        (lambda t: pd.concat([t, t.head(1)]), lambda t: t, "occurs twice"),
        (lambda t: t.iloc[1:], lambda t: t, "is not in"),
        (lambda t: t, lambda t: t[t["item_id"] != "forced_choice/03"], "has no letter response"),
        (lambda t: t, lambda t: pd.concat([t, t.head(1)]), "two responses"),
        (lambda t: t, lambda t: change(t, "option_logprobs", [float("nan"), -1.0]), "NaN or above 0"),
        (lambda t: t, lambda t: change(t, "option_logprobs", [0.5, -1.0]), "NaN or above 0"),
        (lambda t: t, lambda t: change(t, "option_logprobs", [-0.5]), "one log-probability per option"),
        (lambda t: t, lambda t: change(t, "n_tokens", [1]), "one token count"),
        (lambda t: t, lambda t: shared(t, [-1.0, -2.0, -3.0]), "one log-probability of shared tokens per option"),
        (lambda t: t, lambda t: shared(t, [0.5, -1.0]), "shared tokens that is NaN or above 0"),
        (lambda t: t, lambda t: change(t, "outcome", "yes"), "outcome other than"),
        (lambda t: t, lambda t: change(t, "choice", 5), "chose an option"),
        (lambda t: change(t, "suite", "bbq"), lambda t: t, "expected only 'forced_choice'"),
        (lambda t: change(t, "roles", ["stereotype", "other"]), lambda t: t, "one role"),
        (lambda t: t, lambda t: t.head(0), "no responses"),
    ],
)
def test_bad_tables_are_refused_in_one_line(tmp_path: Path, items_of: Any, responses_of: Any, message: str) -> None:
    items, responses = tables()
    with pytest.raises(InputError, match=message) as caught:
        main(write(tmp_path, items_of(items), responses_of(responses)))
    assert ".parquet" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize(
    "score_settings", ['{"resamples": 5, "confidence": 0.95}', '{"resamples": 200, "confidence": 95}']
)
def test_settings_out_of_range_name_their_key(tmp_path: Path, score_settings: str) -> None:
    arguments = write(tmp_path, *tables())
    arguments[1] = f'{{"seed": 1, "score": {score_settings}}}'
    with pytest.raises(InputError, match=r"score\.(resamples|confidence)"):
        main(arguments)


def rounds_table(pattern: str, rounds: int = 40) -> pd.DataFrame:
    roles = {"s": "stereotype", "a": "anti_stereotype", "u": "unparsed"}
    return pd.DataFrame(
        {
            **{"item_id": "forced_choice/00", "format": "letter", "round": at, "mode": "conversation"},
            **{"conversation": conversation, "outcome": roles[pattern[(at + conversation) % len(pattern)]]},
        }
        for conversation in range(3)
        for at in range(1, rounds + 1)
    )


@pytest.mark.parametrize(("pattern", "rate", "coverage"), [("sa", 50.0, 1.0), ("s", 100.0, 1.0), ("sau", 50.0, 2 / 3)])
def test_rounds(tmp_path: Path, pattern: str, rate: float, coverage: float) -> None:
    items, _ = tables()
    items.to_parquet(tmp_path / "items.parquet")
    rounds_table(pattern).to_parquet(tmp_path / "rounds.parquet")
    main_rounds(
        [
            *("--settings", SETTINGS, "--items", str(tmp_path / "items.parquet")),
            *("--responses", str(tmp_path / "rounds.parquet"), "--output", str(tmp_path / "o.csv")),
            *("--trajectory", str(tmp_path / "t.csv")),
        ]
    )
    table = pd.read_csv(tmp_path / "o.csv").set_index("metric")
    assert table.loc["stereotype_rate", "estimate"] == pytest.approx(rate, abs=1.5)
    assert table.loc["stereotype_rate", "coverage"] == pytest.approx(coverage, abs=0.01)
    low, high = table.loc["stereotype_rate", ["bound_low", "bound_high"]]
    assert high - low == pytest.approx(100 * (1 - coverage), abs=1)
    assert low <= table.loc["stereotype_rate", "estimate"] <= high
    assert table.loc["drift", "bound_low"] <= table.loc["drift", "estimate"] <= table.loc["drift", "bound_high"]
    assert pd.isna(table.loc["slope", "estimate"]) == (pattern == "s")
    assert isinstance(table.loc["slope", "reason"], str)
    mixed = table.loc["slope_mixed"]
    assert pd.isna(mixed["estimate"]) == (pattern == "s")
    assert ("every answer is the same" if pattern == "s" else "permutation p-value") in mixed["reason"]
    if pattern != "s":
        assert mixed["low"] < mixed["estimate"] < mixed["high"]
        assert table.loc["prompt_sd", "estimate"] == pytest.approx(0.0, abs=0.2)  # the conversations are alike
    window = pd.read_csv(tmp_path / "t.csv")
    assert window["n"].max() <= 32
    assert set(window["conversation"]) == {0, 1, 2}
