from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.core.table import Table
from edgebias.infer.responses import RESPONSE, ROUND, response, response_table, write_responses
from edgebias.infer.robustness.ask import FORMAT, ROBUSTNESS
from edgebias.mitigate.probes.layer_probes import LAYER_PROBE
from edgebias.mitigate.reference_answers import REFERENCE_ANSWER
from edgebias.mitigate.wins_back import WINS_BACK
from edgebias.report.table_reference.listing import TABLES
from edgebias.report.table_reference.markdown import read_listed, reading_line
from edgebias.score.contrasts.flips import CELL_FLIP
from edgebias.score.contrasts.table import CONTRAST
from edgebias.score.decomposition import DECOMPOSITION
from edgebias.score.inheritance.table import INHERITANCE, MITIGATED, TREND, WRITTEN_TEXTS
from edgebias.score.personalisation.mitigations import MITIGATION_SCORE
from edgebias.score.personalisation.table import IDENTITY_SCORE, PERSONALISATION
from edgebias.score.robustness.tables import FLIP, LEVEL, POSITION, VARIANCE
from edgebias.score.rounds import OVER_TIME, TRAJECTORY
from edgebias.score.table import SCORE
from edgebias.score.trust.associations import CORRELATION
from edgebias.score.trust.controls import CONTROL
from edgebias.score.trust.doses import DOSE
from edgebias.score.trust.table import TRUST
from edgebias.suites.item import ITEM, Design, Item, to_table
from edgebias.train.augment import AUGMENTED_TEXT
from edgebias.train.damage.effects import DAMAGE_DOSE, DAMAGE_EFFECT, DAMAGE_MENDED
from edgebias.train.damage.run_table import DAMAGE_RUN
from edgebias.train.misalignment import EMBEDDING_SHIFT, GROUP_DATA
from edgebias.train.trajectory import TRAINING

main = command("tables")

CHECKOUT = Path(__file__).resolve().parents[3]
DOCUMENT = CHECKOUT / "docs/reference/tables.md"


def answered(**changes: Any) -> dict[str, object]:
    row: dict[str, Any] = {
        **{"item_id": "forced_choice/00", "format_name": "letter", "permutation": (1, 0), "template": "plain"},
        **{"seed": 7, "choice": 1, "outcome": "stereotype", "option_logprobs": (-2.0, -1.0), "n_tokens": (1, 1)},
    }
    return response(**(row | changes))


def scored(**changes: Any) -> pd.DataFrame:
    row = {
        **{"suite": "forced_choice", "format": "letter", "category": "all", "metric": "stereotype_rate"},
        **{"estimate": 60.0, "low": 50.0, "high": 70.0, "n": 9, "n_clusters": 4, "coverage": 0.9},
        **{"bound_low": 55.0, "bound_high": 64.0, "n_refusal": 1, "n_unparsed": 0, "n_blank": 0, "ideal": 50.0},
    }
    return pd.DataFrame([{**row, "metric": "a"}, row | changes], columns=list(SCORE.names))


def contrasted(**changes: Any) -> pd.DataFrame:
    row = {
        **{"kind": "variant", "cell_a": "e/m/q8", "cell_b": "e/m/full", "suite": "bbq", "format": "letter"},
        **{"metric": "sAMB", "estimate_a": 1.0, "estimate_b": 2.0, "difference": -1.0, "low": -2.0, "high": 0.0},
        **{"p": 0.04, "p_corrected": 0.08, "family": "variant", "family_size": 7, "n_items": 50, "n_clusters": 20},
        **{"minimum_detectable_effect": np.nan, "reason": ""},
    }
    return pd.DataFrame([row | changes], columns=list(CONTRAST.names))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_name": "essay"}, r"row 0 \('forced_choice/00'\): column 'format' is 'essay'; it must be one of lik"),
        ({"outcome": "yes"}, "column 'outcome' is 'yes'; it must be one of stereotype"),
        ({"choice": -2}, "column 'choice' .* at least -1"),
        ({"option_logprobs": (0.5, -1.0)}, "column 'option_logprobs' .* each member at most 0"),
        ({"option_logprobs": (float("nan"), -1.0)}, "column 'option_logprobs' .* each member at most 0"),
        ({"n_tokens": (0, 1)}, "column 'n_tokens' .* each member at least 1"),
        ({"n_tokens": (1,)}, "must have n_tokens and option_logprobs of one length"),
        ({"item_id": ""}, "column 'item_id' .* not empty"),
    ],
)
def test_a_bad_response_is_never_written(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "bbq.parquet"
    write_responses(response_table([answered()]), path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=message) as caught:
        write_responses(response_table([answered(**changes)]), path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("table", "bad", "message"),
    [
        (SCORE, scored(coverage=1.2), r"row 1: column 'coverage' is .*1\.2.*; it must be from 0 to 1"),
        (SCORE, scored(n=-1), "column 'n' .* at least 0"),
        (SCORE, scored(low=71.0), "row 1 must have low <= high"),
        (SCORE, scored(n_clusters=10), "must have n_clusters <= n"),
        (SCORE, scored(metric=""), "column 'metric' .* not empty"),
        (SCORE, scored(estimate="60"), "column 'estimate' holds (object|str), where float is needed"),
        (SCORE, scored().drop(columns="coverage"), "column 'coverage' of the score table is missing"),
        (SCORE, scored().assign(bound=1.0), "the score table declares no column 'bound'"),
        (SCORE, scored()[list(SCORE.names)[::-1]], "columns stand in the order"),
        (CONTRAST, contrasted(kind="whim"), "column 'kind' is 'whim'; it must be one of deployed"),
        (CONTRAST, contrasted(p=1.5), "column 'p' .* from 0 to 1"),
        (CONTRAST, contrasted(p_corrected=0.01), "must have p <= p_corrected"),
        (CONTRAST, contrasted(family=None), "column 'family' .* must have a value"),
        (TRAJECTORY, pd.DataFrame([["whim", 0, 1, 3, 50.0]], columns=list(TRAJECTORY.names)), "column 'mode'"),
    ],
)
def test_a_bad_table_is_never_written(tmp_path: Path, table: Table, bad: pd.DataFrame, message: str) -> None:
    path = tmp_path / "x.csv"
    with pytest.raises(InputError, match=message) as caught:
        table.write(bad, path)
    assert "\n" not in str(caught.value)
    assert not path.exists()


def test_undefined_is_allowed_where_it_is_declared_and_nowhere_else(tmp_path: Path) -> None:
    undefined = {column.name: np.nan for column in SCORE.columns if column.undefined}
    assert set(undefined) >= {"estimate", "low", "high", "coverage"}
    SCORE.write(scored(**undefined), tmp_path / "x.csv")
    last = (tmp_path / "x.csv").read_text(encoding="utf-8").splitlines()[-1]
    assert last.count("NaN") == len(undefined)
    for name in set(SCORE.names) - set(undefined):
        with pytest.raises(InputError, match=f"'{name}'"):
            SCORE.write(scored(**{name: None}), tmp_path / "y.csv")


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.integers(1, 5), st.lists(st.floats(-50, 0), max_size=4), st.text(max_size=5)),
        max_size=6,
        unique_by=lambda row: (row[0], row[1]),
    )
)
@pytest.mark.slow
def test_a_written_table_reads_back_typed(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    path = tmp_path_factory.mktemp("rounds") / "full.parquet"
    table = response_table(
        [
            answered(
                item_id=f"i/{item:02d}",
                round_number=number,
                text=text,
                option_logprobs=found,
                n_tokens=[1] * len(found),
            )
            | {"mode": "independent", "conversation": -1}
            for item, number, found, text in rows
        ],
        ROUND,
    )
    write_responses(table, path)
    back = pd.read_parquet(path)
    ROUND.check(back, path)
    assert [str(kind) for kind in back.dtypes.loc[["round", "choice", "conversation"]]] == ["int64"] * 3
    assert back["text"].tolist() == table["text"].tolist()
    assert [list(row) for row in back["option_logprobs"]] == [list(row) for row in table["option_logprobs"]]
    if rows:
        first = path.read_bytes()
        write_responses(back.sample(frac=1, random_state=1), path)
        assert path.read_bytes() == first


def flipped(**changes: Any) -> pd.DataFrame:
    row = {
        **{"kind": "variant", "cell_a": "e/m/q8", "cell_b": "e/m/full", "suite": "bbq", "format": "letter"},
        **{"changed": 10.0, "low": 5.0, "high": 20.0, "towards": 4.0, "away": 2.0, "to_unknown": 1.0},
        **{"from_unknown": 0.0, "newly_biased": 6.0, "no_longer_biased": 3.0, "p": 0.4, "p_corrected": 1.0},
        **{"n": 50, "n_clusters": 20},
    }
    return pd.DataFrame([row | changes], columns=list(CELL_FLIP.names))


def test_rounding_noise_of_a_limit_is_no_fault(tmp_path: Path) -> None:
    # Wilson's lower limit of no flips at all is a few 1e-15
    CELL_FLIP.write(flipped(changed=0.0, low=4e-15, high=3.0), tmp_path / "x.csv")
    with pytest.raises(InputError, match="low <= changed"):
        CELL_FLIP.write(flipped(changed=0.0, low=1e-6, high=3.0), tmp_path / "x.csv")


def test_readers_of_some_columns_check_these_alone() -> None:
    some = pd.DataFrame({"outcome": ["yes"], "choice": [0], "of_theirs": [1]})
    RESPONSE.check_types(some, "x")
    with pytest.raises(InputError, match=r"x: row 0: column 'outcome' is 'yes'.*; again"):
        RESPONSE.check_values(some, "x", "; again")
    with pytest.raises(InputError, match="column 'choice' holds float64, where int is needed"):
        RESPONSE.check_types(some.assign(choice=0.5), "x")
    with pytest.raises(InputError, match=r"column 'n_tokens' is .*; it must be a list\[int\]"):
        RESPONSE.check_types(pd.DataFrame({"n_tokens": ["12"]}), "x")


def test_a_response_of_no_format_is_refused_where_it_is_scored(tmp_path: Path) -> None:
    from edgebias.score.table import join

    items = pd.DataFrame(
        {
            **{
                "item_id": ["a"],
                "suite": ["forced_choice"],
                "category": ["c"],
                "cluster": ["k"],
                "condition": ["binary"],
            },
            **{"options": [["x", "y"]], "roles": [["stereotype", "anti_stereotype"]], "label": [-1]},
        }
    )
    responses = response_table([answered(item_id="a")]).assign(format="essay")
    with pytest.raises(InputError, match=r"^R: row 0 \('a'\): column 'format' is 'essay'.* run the infer stage again$"):
        join(items, responses, suite="forced_choice", items_name="I", responses_name="R")
    with pytest.raises(InputError, match=r"column 'choice' holds .* where int is needed; run the infer stage again"):
        join(
            items,
            responses.assign(format="letter", choice="1"),
            suite="forced_choice",
            items_name="I",
            responses_name="R",
        )


@pytest.mark.parametrize("listed", TABLES, ids=lambda listed: listed.table.name)
def test_every_column_is_documented_and_every_order_exists(listed: Any) -> None:
    table = listed.table
    assert all(column.meaning and column.name.isidentifier() for column in table.columns)
    assert len(set(table.names)) == len(table.names)
    assert set(table.order) <= set(table.names)
    schema = table.schema()
    assert {name: column.description for name, column in schema.columns.items()} == {
        column.name: column.meaning for column in table.columns
    }


@pytest.mark.parametrize("listed", TABLES, ids=lambda listed: listed.table.name)
def test_files_of_a_study_are_what_they_are_declared_to_be(listed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    path = CHECKOUT / listed.example_path
    if not path.exists():
        pytest.skip(f"{listed.example_path} is made by the pipeline")
    table = read_listed(path, listed.table)
    monkeypatch.chdir(CHECKOUT)
    shown = eval(reading_line(listed.example_path), {"pd": pd})
    pd.testing.assert_frame_equal(shown, table)


def test_the_documentation_is_a_fresh_generation(tmp_path: Path) -> None:
    copy = tmp_path / "tables.md"
    copy.write_bytes(DOCUMENT.read_bytes())
    main(["--markdown", str(copy), "--keep-rows"])
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8")
    # the rows are kept; everything else must come from the declarations
    copy.write_text(copy.read_text(encoding="utf-8").replace("index of the chosen option", "?"), encoding="utf-8")
    main(["--markdown", str(copy), "--keep-rows"])
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of a few rows, each table at the place that the documentation shows."""
    items = [
        Item(
            **{"item_id": f"forced_choice/{number}", "suite": "forced_choice", "category": "age", "cluster": "age/x"},
            **{"condition": "binary", "context": "A | B\nmet.", "question": "Who?", "options": ("a", "b")},
            **{"roles": ("stereotype", "anti_stereotype"), "label": -1, "source": "s", "errata": ""},
            **{"design": Design("x"), "split": "held_out", "permutation": (0, 1)},
        )
        for number in range(5)
    ]
    rounds = [answered(round_number=at) | {"mode": "independent", "conversation": -1} for at in (1, 2)]
    tables = {
        "item": to_table(items),
        "response": response_table([answered(text="A) the\nold man, I am quite sure of that, and not the other one")]),
        "round": response_table(rounds, ROUND),
        "score": scored(estimate=np.nan, low=np.nan, high=np.nan),
        "over-time score": scored().assign(p=np.nan, reason=["", "no answer names a group"]),
        "over-time trajectory": pd.DataFrame([["independent", -1, 1, 1, 12.5]], columns=list(TRAJECTORY.names)),
        "contrast": contrasted(),
        "cell flip": flipped(),
        "decomposition": pd.DataFrame(
            [
                (
                    *("e/m/q8", "d/n/full", "forced_choice", "letter", "stereotype_rate", "points", "model"),
                    *(3.0, -1.0, 7.0, 2.5, 3.5, 6, 72, 72, 0.9, ""),
                )
            ],
            columns=list(DECOMPOSITION.names),
        ),
        "trust": pd.DataFrame(
            [
                (
                    *("edge", "m", "q4_0", "ethics", "ethics", "letter", "accuracy", 1, 60.0, 100.0, 60.0, 50.0, 70.0),
                    *(55.0, 65.0, 90, 90, 0.9, 5.0, 3.0, 2.0, -4.0, -9.0, 1.0, 0.1, 0.2, 7.0, 12.0, 8.0, 17.0),
                    *("wrong", 9.0, 4.0, 15.0, 11.0, 22.5, 4, 4.5, 0.0, 0.0, "Q4_0", -1, np.nan, ""),
                )
            ],
            columns=list(TRUST.names),
        ),
        "training trajectory": pd.DataFrame(
            [(0, np.nan, 3.1, np.nan, np.nan, 0), (4, 2.9, 2.7, np.nan, 0.0001, 384)], columns=list(TRAINING.names)
        ),
        "trust control": pd.DataFrame(
            [("ethics", "ethics", "letter", "accuracy", "random", 50.0, 50.0, 50.0, 50.0, 1.0, 100, "")],
            columns=list(CONTROL.names),
        ),
        "trust correlation": pd.DataFrame(
            [("edge", "m", "ethics", "ethics", "letter", "refusal", -0.5, -0.9, 0.3, 7, "")],
            columns=list(CORRELATION.names),
        ),
        "trust dose": pd.DataFrame(
            [("edge", "m", "ethics", "ethics", "letter", "wrong", 4, 2.8, 8.5, 1.5, 1.1, 2.0, 90, "")],
            columns=list(DOSE.names),
        ),
        "layer probe": pd.DataFrame(
            [
                (-1, "words", 60.0, 50.0, 70.0, 0.1, 0.1, np.nan, np.nan, np.nan, 8, 4),
                (0, "bias", 70.0, 60.0, 80.0, 0.01, 0.03, 10.0, -2.0, 20.0, 8, 4),
            ],
            columns=list(LAYER_PROBE.names),
        ),
        "reference answer": pd.DataFrame(
            [["guard", "tea", "Explain tea.", "chat", 7, "Tea is a drink.", 5]], columns=list(REFERENCE_ANSWER.names)
        ),
        "mitigation score": scored().assign(
            p=np.nan,
            p_corrected=np.nan,
            family="",
            family_size=0,
            minimum_detectable_effect=np.nan,
            headroom="",
            reason="",
        ),
        "personalisation": pd.DataFrame(
            [
                (
                    *("edge", "m", "full", "system", "identities", "safety", "likelihood", 9.0, 8.5, 3.0, -4.0, 5.0),
                    *(0.2, 0.1, 31, 30, 0, ""),
                )
            ],
            columns=list(PERSONALISATION.names),
        ),
        "personalisation by identity": pd.DataFrame(
            [
                (
                    *("edge", "m", "full", "system", "safety", "likelihood", "identity", "muslim", "religion", "none"),
                    *(50.0, 60.0, -10.0, -20.0, 0.0, 0.05, 0.4, 14.0, 30, ""),
                )
            ],
            columns=list(IDENTITY_SCORE.names),
        ),
        "personalisation by mitigation": pd.DataFrame(
            [
                (
                    *("edge", "m", "full", "system", "safety", "likelihood_chat", "held_out", "prompt", "fair"),
                    *(1, 3.0, 1.0, 5.0, 6.0, -3.0, -5.0, -1.0, 0.01, 0.03, 70.0, -2.0, -4.0, 0.0, 18, 15, ""),
                )
            ],
            columns=list(MITIGATION_SCORE.names),
        ),
        "wins back": pd.DataFrame(
            [
                (
                    *("edge", "m", "q4_0", "open_loop", "own", "none", "bias", "stereoset", "likelihood", "ss", 50.0),
                    *(60.0, 55.0, 5.0, 1.0, 9.0, 0.01, 0.02, 5.5, 50.0, 10.0, 90.0, "yes: baseline 60.0", 90, 30),
                    *(4, 4.5, 0.0, 21.0, ""),
                )
            ],
            columns=list(WINS_BACK.names),
        ),
        "damage run": pd.DataFrame(
            [("none", 0.0, "none", 0, "linear", "in_domain", 90.0, 88.0, 80.0, 1.5, 14.0, 0.2)],
            columns=list(DAMAGE_RUN.names),
        ),
        "damage effect": pd.DataFrame(
            [
                (
                    *("long_tail", 30.0, "linear", "in_domain", "accuracy", 80.0, 90.0, -10.0, -12.0, -8.0),
                    *(0.001, 0.01, 2.8, 12),
                )
            ],
            columns=list(DAMAGE_EFFECT.names),
        ),
        "damage dose": pd.DataFrame(
            [
                (
                    *("long_tail", "linear", "in_domain", "accuracy", "tenfold", -5.0, -6.0, -4.0, 0.001, 0.01),
                    *(5, 12),
                )
            ],
            columns=list(DAMAGE_DOSE.names),
        ),
        "damage mended": pd.DataFrame(
            [
                (
                    *("none", 0.0, "spectrum", "linear", "in_domain", "accuracy", 91.0, 90.0, 1.0, 0.5, 1.5),
                    *(0.01, 0.2, 0.7, 12, 90.0),
                )
            ],
            columns=list(DAMAGE_MENDED.names),
        ),
        "augmented text": pd.DataFrame(
            [
                (
                    *("contextual_explicit", "nurse", 0, "female", "Write one sentence about a nurse.", 7),
                    *("The nurse said that she had time for all.", "The [MASK] said that she had time for all."),
                    *("female", "kept"),
                )
            ],
            columns=list(AUGMENTED_TEXT.names),
        ),
        "group data": pd.DataFrame(
            [("neutral", "nurse", 20, 300, 0.9, 0.7, 0.2, 0.05, 0.3, 0.01)], columns=list(GROUP_DATA.names)
        ),
        "embedding shift": pd.DataFrame(
            [("neutral", 120, 120, 0.05, 0.003, 0.001)], columns=list(EMBEDDING_SHIFT.names)
        ),
        "inheritance": pd.DataFrame(
            [
                (
                    *("edge", "m", "ratio_50", 0.5, "contextual_explicit", "none", 0, "salary", "likelihood"),
                    *("expected_salary_gap", "bias", "thousand dollars", 0.0, 1.5, 1.0, 2.0, 1.2, 0.7, 1.7, 0.001),
                    *(0.01, 0.7, 40, ""),
                )
            ],
            columns=list(INHERITANCE.names),
        ),
        "inheritance trend": pd.DataFrame(
            [
                (
                    *(
                        "edge",
                        "m",
                        "contextual_explicit",
                        "none",
                        "salary",
                        "likelihood",
                        "expected_salary_gap",
                        "bias",
                    ),
                    *("thousand dollars", 6, 0.3, 0.1, 0.5, 0.001, 0.004, 0.003, 40, ""),
                )
            ],
            columns=list(TREND.names),
        ),
        "inheritance mitigation": pd.DataFrame(
            [
                (
                    *(
                        "edge",
                        "m",
                        "contextual_explicit",
                        0.5,
                        0,
                        "loss",
                        "salary",
                        "likelihood",
                        "expected_salary_gap",
                    ),
                    *("bias", "thousand dollars", 1.2, 0.7, 1.7, -1.0, -1.4, -0.6, 0.001, 0.003, 83.0, 60.0, 99.0, 40),
                    "",
                )
            ],
            columns=list(MITIGATED.names),
        ),
        "inheritance texts": pd.DataFrame(
            [("contextual_explicit", "nurse", 64, 40, 30, 2, "length")], columns=list(WRITTEN_TEXTS.names)
        ),
        "robustness response": pd.DataFrame(
            [answered(format_name=FORMAT, text="") | {"unknown_wording": "Unknown"}], columns=list(ROBUSTNESS.names)
        ),
        "variance share": pd.DataFrame(
            [["m: full in edge", "greedy", "item", 5, *(0.5, 0.4, 0.6) * 2, 5]], columns=list(VARIANCE.names)
        ),
        "position bias": pd.DataFrame(
            [["edge", "m", "full", "plain", 1, *(40.0, 30.0, 50.0) * 2, 33.3, 90.0, 5]], columns=list(POSITION.names)
        ),
        "flip rate": pd.DataFrame([["m: full in edge", "template", 9.0, 1.0, 20.0, 5]], columns=list(FLIP.names)),
        "score by format": pd.DataFrame(
            [["edge", "m", "full", "template", "plain", "sAMB", -3.0, -9.0, 2.0, 5, 0.0]], columns=list(LEVEL.names)
        ),
    }
    for listed in TABLES:
        path = tmp_path / listed.example_path
        path.parent.mkdir(parents=True, exist_ok=True)
        listed.table.write(tables[listed.table.name], path)
    return tmp_path


@pytest.mark.slow
def test_the_documentation_shows_rows_of_the_study(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = study / "tables.md"
    main(["--markdown", str(document), "--study", str(study)])
    text = document.read_text(encoding="utf-8")
    for shown in (
        r"item_id forced_choice/0 forced_choice/2 forced_choice/4",
        r"context 'A | B\nmet.'",
        r"text 'A) the\nold man, I am quite sure of …",
        "reason no answer names a group",
        "estimate 60.0 NaN",
    ):
        assert f"\n{shown}" in re.sub(" +", " ", text)
    monkeypatch.chdir(study)
    lines = re.findall(r"```python\n(.+)\n```", text)
    assert len(lines) == len(TABLES)
    for listed, line in zip(TABLES, lines, strict=True):
        listed.table.check(eval(line, {"pd": pd}), line)
    first = document.read_bytes()
    main(["--markdown", str(document), "--keep-rows"])
    assert document.read_bytes() == first


def test_a_file_that_breaks_its_declaration_is_not_shown(study: Path) -> None:
    path = study / "results/edge/compare/contrasts.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("variant,e/m", "whim,e/m", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"contrasts\.csv: row 0: column 'kind' is 'whim'"):
        main(["--markdown", str(study / "tables.md"), "--study", str(study)])
    assert not (study / "tables.md").exists()


def test_the_documentation_names_what_is_absent(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        main(["--markdown", str(tmp_path / "tables.md"), "--study", str(tmp_path)])
    with pytest.raises(InputError, match="no such file"):
        main(["--markdown", str(tmp_path / "tables.md"), "--keep-rows"])


@pytest.mark.slow
def test_declarations_cost_no_import_of_pandera() -> None:
    code = (
        "import sys, edgebias.suites.item, edgebias.infer.responses, edgebias.stages.infer\n"
        "raise SystemExit('pandera' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_over_time_score_is_a_score_with_more() -> None:
    assert OVER_TIME.names[: len(SCORE.names)] == SCORE.names
    assert ROUND.names[: len(RESPONSE.names)] == RESPONSE.names
    assert ITEM.names[0] == "item_id"
