"""The page of the mitigation study: what the tables hold, in the order of a reader, and no number of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from edgebias.core.errors import InputError
from edgebias.mitigate.reductions import MITIGATION_COLUMNS
from edgebias.mitigate.registry import choose_all
from edgebias.report.abstention import abstention_rows
from edgebias.report.mitigation_study import Part, methods_of, page
from edgebias.stages.mitigation_page import run

PROVENANCE = {
    "git": {"commit": "abc"},
    "machine": {"cores": 2, "memory_mb": 8000},
    "files": {"q8_0.gguf": {"sha256": "f" * 64}},
}


CHOSEN = ["none", "always_refuse", "open_loop", {"method": "open_loop", "gain": 2}, "feedback_loop"]
METHODS = choose_all(CHOSEN)


def write_page(folder: Path, tmp_path: Path, **options: Any) -> None:
    """Write ``page.md`` of the study in ``folder`` by the command."""
    study = tmp_path / "study.yaml"
    study.write_text(json.dumps({"study": {"methods": CHOSEN}}), encoding="utf-8")
    run(folder, study, tmp_path / "provenance.json", tmp_path / "page.md", **options)


def write_method(folder: Path, name: str, rows: list[dict[str, object]]) -> None:
    plain = {
        "suite": "stereoset",
        "format": "likelihood",
        "category": "all",
        "headroom": "",
        "p_corrected": float("nan"),
    }
    (folder / name).mkdir(parents=True)
    table = pd.DataFrame([plain | row for row in rows], columns=list(MITIGATION_COLUMNS))
    table.to_csv(folder / name / "scores.csv", index=False)
    cost = {"control_vector_bytes": 100, "generation_ms_per_token_ratio": 1.01, "prefill_ms_per_token_ratio": 0.99}
    (folder / name / "cost.json").write_text(json.dumps(cost), encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "edge" / "model" / "q8_0"
    ss = {"metric": "ss", "low": 55.0, "high": 66.0}
    lms = {"metric": "lms", "estimate": 87.0, "low": 85.0, "high": 89.0}
    risen = {"suite": "reference_answers", "metric": "perplexity_rise", "estimate": 1.7, "low": 0.9, "high": 2.4}
    write_method(found, "none", [ss | {"estimate": 61.0}, lms])
    pd.DataFrame({"seed": [7, 7]}).to_parquet(found / "none" / "responses.parquet")
    reduced = {
        "metric": "reduction",
        "estimate": 8.0,
        "low": 5.0,
        "high": 11.0,
        "headroom": "yes",
        "p_corrected": 0.002,
    }
    share = {"metric": "relative_reduction", "estimate": 73.0, "low": 45.0, "high": 99.0}
    write_method(found, "feedback_loop", [ss | {"estimate": 53.0}, reduced, share, lms, risen])
    (found / "feedback_loop" / "trajectory.csv").write_text(
        "round,bias,gain,perplexity,answers_perplexity,guard,pass_bias,pass_low,pass_high\n"
        "0,61,0,100.5,6.5,0,61,55,66\n1,53.1,0.5,101,6.6,0,,,\n",
        encoding="utf-8",
    )
    state = {"gains": [0.0, -1.25, 1.0], "stopped": "ideal_reached"}
    (found / "feedback_loop" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    write_method(found, "always_refuse", [ss | {"estimate": float("nan"), "low": float("nan"), "high": float("nan")}])
    (tmp_path / "provenance.json").write_text(json.dumps(PROVENANCE), encoding="utf-8")
    return found


def test_methods_stand_in_the_order_of_the_study_and_undefined_scores_are_dashes(folder: Path) -> None:
    text = page(Part(folder, METHODS), folder.parents[2] / "provenance.json")
    rows = [
        line for line in text.splitlines() if line.startswith(("| none |", "| always refuse |", "| feedback loop |"))
    ]
    assert [row.split(" | ")[0].strip("| ") for row in rows[:3]] == ["none", "always refuse", "feedback loop"]
    assert rows[0].split(" | ")[1] == "61 [55, 66]"
    assert rows[1].split(" | ")[1] == "–"


def test_the_reduction_comes_with_its_p_value_and_the_loop_with_its_rounds(folder: Path, tmp_path: Path) -> None:
    write_page(folder, tmp_path)
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| feedback loop | stereoset | 8.00 [5.00, 11] | 73 [45, 99] | 0.002 | yes |" in text
    assert "| 1 | 53.1 | 0.500 | 101 | 6.60 | 0 | – | – | – |" in text
    assert "| feedback loop | 100 | 0.990 | 1.01 |" in text
    assert "commit abc" in text


@pytest.mark.slow
def test_the_page_shows_the_frontier_beside_it_and_the_same_run_draws_the_same_bytes(
    folder: Path, tmp_path: Path
) -> None:
    for gain, share in (("", 30.0), ("_at_2", 90.0)):
        rows = pd.read_csv(folder / "feedback_loop" / "scores.csv")
        rows.loc[rows["metric"] == "relative_reduction", ["estimate", "low", "high"]] = share, share - 20, share + 20
        (folder / f"open_loop{gain}").mkdir()
        rows.to_csv(folder / f"open_loop{gain}" / "scores.csv", index=False)
        shutil.copy(folder / "feedback_loop" / "cost.json", folder / f"open_loop{gain}" / "cost.json")
    write_page(folder, tmp_path, figure=tmp_path / "figures" / "frontier.svg")
    drawn = (tmp_path / "figures" / "frontier.svg").read_bytes()
    assert b"<svg" in drawn
    assert "](figures/frontier.svg)" in (tmp_path / "page.md").read_text(encoding="utf-8")
    write_page(folder, tmp_path, figure=tmp_path / "figures" / "frontier.svg")
    assert (tmp_path / "figures" / "frontier.svg").read_bytes() == drawn


def test_a_study_without_gains_has_no_frontier_and_says_what_it_lacks(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"add none, open_loop and \{method: open_loop, gain: 2\}"):
        write_page(folder, tmp_path, figure=tmp_path / "frontier.svg")
    assert not (tmp_path / "page.md").exists()


@pytest.mark.slow
def test_repeats_stand_seed_by_seed_with_their_mean_and_range(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "edge" / "model" / "q8_0"
    shutil.copytree(folder, other)
    pd.DataFrame({"seed": [8, 8]}).to_parquet(other / "none" / "responses.parquet")
    state = {"gains": [0.0, 4.0, 4.0], "stopped": "guard_holds"}
    (other / "feedback_loop" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    scores = pd.read_csv(other / "feedback_loop" / "scores.csv")
    scores.loc[scores["metric"] == "relative_reduction", ["estimate", "low"]] = 47.0, 20.0
    scores.to_csv(other / "feedback_loop" / "scores.csv", index=False)
    text = page(Part(folder, METHODS), tmp_path / "provenance.json", [Part(other, METHODS)])
    same = "53 [55, 66] | 87 [85, 89] | 1.70 [0.900, 2.40]"
    assert f"| 7 | feedback loop | {same} | 73 [45, 99] | gain 1.25, converged |" in text
    assert (
        f"| 8 | feedback loop | {same} | 47 [20, 99] | gain 4.00, did not converge, as the guard found a larger" in text
    )
    assert "| 8 | none | 61 [55, 66] | 87 [85, 89] | – | – |  |" in text
    assert "feedback loop: mean over 2 seeds 60 per cent, from 47 to 73." in text
    assert "Repeats" not in page(Part(folder, METHODS), tmp_path / "provenance.json")
    shutil.rmtree(other / "feedback_loop")
    without = page(Part(folder, METHODS), tmp_path / "provenance.json", [Part(other, METHODS)])
    assert "| 8 | none |" in without
    assert "| 7 | feedback loop |" not in without  # a mean over seeds needs all of them


def test_a_folder_without_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="snakemake"):
        page(Part(tmp_path, METHODS), tmp_path / "provenance.json")


def test_a_method_of_another_study_is_left_out_and_one_that_has_not_run_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "feedback_loop", folder / "gated_open_loop_at_9")
    text = page(Part(folder, METHODS), tmp_path / "provenance.json")
    assert "gated" not in text
    assert "these have not run: open loop, open loop at 2." in text
    ran = choose_all(["none", "always_refuse", "feedback_loop"])
    assert "have not run" not in page(Part(folder, ran), tmp_path / "provenance.json")


@pytest.mark.parametrize("content", ["study: {}", "study: {methods: []}", "study: {methods: none}", "a: 1", "a: ]"])
def test_a_configuration_without_methods_is_refused_by_name(content: str, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"study\.yaml"):
        methods_of(path)


def test_what_the_guard_asks_and_what_bbq_says_are_shown_where_they_were_measured(folder: Path, tmp_path: Path) -> None:
    plain = page(Part(folder, METHODS), tmp_path / "provenance.json")
    assert "disambiguated_accuracy" not in plain
    path = folder / "feedback_loop" / "trajectory.csv"
    asked = pd.read_csv(path).assign(disambiguated_accuracy=[44.5, 46.1], false_abstention=[12.7, 9.3])
    asked.to_csv(path, index=False)
    scores = pd.read_csv(folder / "none" / "scores.csv")
    ambiguous = {"suite": "bbq", "metric": "accuracy_ambiguous", "estimate": 31.0, "low": 25.0, "high": 37.0}
    pd.concat([scores, pd.DataFrame([scores.iloc[0].to_dict() | ambiguous])]).to_csv(
        folder / "none" / "scores.csv", index=False
    )
    other = tmp_path / "other" / "edge" / "model" / "q8_0"
    shutil.copytree(folder, other)
    parts = [Part(one, METHODS) for one in (folder, other)]
    text = page(parts[0], tmp_path / "provenance.json", parts[1:], command="make it")
    assert "Written by `make it`" in text
    assert "| 1 | 53.1 | 0.500 | 101 | 6.60 | 46.1 | 9.30 | 0 |" in text
    assert "| seed | method | stereoset ss | stereoset lms | bbq accuracy ambiguous | neutral" not in text
    assert "| seed | method | stereoset ss | stereoset lms | bbq accuracy ambiguous | reference" in text
    assert "| 7 | none | 61 [55, 66] | 87 [85, 89] | 31 [25, 37] |" in text


@pytest.mark.slow
def test_the_splits_are_drawn_side_by_side_and_the_page_shows_them(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "edge" / "model" / "q8_0"
    shutil.copytree(folder, other)
    drawing = tmp_path / "figures" / "before_after.svg"
    write_page(folder, tmp_path, repeats=[other], before_after=drawing)
    first = drawing.read_bytes()
    assert b"<svg" in first
    assert "](figures/before_after.svg)" in (tmp_path / "page.md").read_text(encoding="utf-8")
    scores = pd.read_csv(other / "feedback_loop" / "scores.csv")
    scores.loc[scores["metric"] == "ss", "estimate"] = 55.5
    scores.to_csv(other / "feedback_loop" / "scores.csv", index=False)
    write_page(folder, tmp_path, repeats=[other], before_after=drawing)
    assert drawing.read_bytes() != first


def asked(tmp_path: Path, said: dict[int, str]) -> tuple[Path, Path]:
    """BBQ's items, ambiguous ones of 10 words and others of 20, and a study in which ``said`` answers each number."""
    rows, answers = [], []
    for number in range(12):
        short = number % 2 == 0
        rows.append(
            {
                "item_id": f"bbq/{number:05d}",
                "suite": "bbq",
                "category": "Age",
                "cluster": f"t{number // 4}",
                "condition": "ambiguous" if short else "disambiguated",
                "options": ["the old", "the young", "Unknown"],
                "roles": ["stereotype", "anti_stereotype", "unknown"],
                "label": 2 if short else 0,
                "context": " ".join(["word"] * (10 if short else 20)),
                "question": "Who?",
                "permutation": [0, 1, 2],
                "split": "held_out",
            }
        )
        outcome = said[number % 2]
        choice = rows[-1]["roles"].index(outcome)
        answers.append({"item_id": rows[-1]["item_id"], "format": "likelihood", "outcome": outcome, "choice": choice})
    items, folder = tmp_path / "bbq.parquet", tmp_path / "methods"
    pd.DataFrame(rows).to_parquet(items)
    (folder / "none").mkdir(parents=True)
    pd.DataFrame(answers).to_parquet(folder / "none" / "responses.parquet")
    return folder, items


@pytest.mark.parametrize(
    ("said", "shares"),
    [
        ({0: "unknown", 1: "unknown"}, ("100 [", "100 [", "50 [", "undefined")),
        ({0: "stereotype", 1: "stereotype"}, ("0 [", "0 [", "50 [", "100 [")),
        ({0: "unknown", 1: "anti_stereotype"}, ("100 [", "0 [", "100 [", "0 [")),
    ],
)
def test_a_method_that_says_unknown_stands_beside_the_best_rule_on_the_number_of_words(
    said: dict[int, str], shares: tuple[str, ...], tmp_path: Path
) -> None:
    folder, items = asked(tmp_path, said)
    (name, *found), (rule, *best) = abstention_rows(folder, ["none", "not_run"], items)
    assert name == "none"
    assert all(text.startswith(start) for text, start in zip(found, shares, strict=True)), found
    assert rule == "the rule: “unknown” up to 10 words"
    assert [text.split(" ")[0] for text in best] == ["100", "0", "100", ""]


def test_the_page_asks_whether_it_is_only_the_length_where_items_are_given(folder: Path, tmp_path: Path) -> None:
    answered, items = asked(tmp_path, {0: "unknown", 1: "stereotype"})
    responses = pd.read_parquet(answered / "none" / "responses.parquet").assign(seed=7)
    responses.to_parquet(folder / "none" / "responses.parquet")
    assert "only the length" not in page(Part(folder, choose_all(["none"])), tmp_path / "provenance.json")
    text = page(Part(folder, choose_all(["none"])), tmp_path / "provenance.json", items=[items])
    assert "## Is it only the length?" in text
    assert "| the rule: “unknown” up to 10 words | 100 [" in text
