"""Published predictions must give the published scores, to the printed decimal, through our own metric functions."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.estimate import add_up
from edgebias.suites.registry import SUITES

ROOT = Path(__file__).parents[2]
GOLDEN = Path(os.environ.get("EDGEBIAS_GOLDEN", str(ROOT.parent / "shared/golden")))
RAW = Path(os.environ.get("EDGEBIAS_RAW", str(ROOT / "data/raw/benchmarks")))
EXPECTED = json.loads(Path(__file__).with_name("expected.json").read_text(encoding="utf-8"))
PUBLISHED = {
    "bbq_unifiedqa": "results/UnifiedQA, github.com/nyu-mll/BBQ at bea11bd9",
    "stereoset_gpt2": "the intrasentence predictions of GPT-2, github.com/moinnadeem/StereoSet at ead7d086",
}
"""Where the predictions of each folder come from. Their licences let them be used here, not be part of this package."""
CUT = 35  # the released predictions end after some twenty tokens, within the longest answers


def predictions(folder: str, name: str) -> Path:
    path = GOLDEN / folder / name
    if not path.exists():
        pytest.skip(f"{folder}/ is not here: it is published ({PUBLISHED[folder]}); EDGEBIAS_GOLDEN names the folder")
    return path


def raw_file(*parts: str) -> Path:
    path = RAW.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not here; run `make data` or set EDGEBIAS_RAW to the benchmark folder")
    return path


def estimates(suite: str, columns: dict[str, list[Any]]) -> dict[str, float]:
    answers = answers_from_columns(columns)
    return {
        metric.name: float(metric.formula(add_up(metric, answers).sums.sum(axis=0)))
        for metric in SUITES.get(suite).family.metrics
    }


def plain(text: str) -> str:
    """Letters and digits only: predictions lost their case, their full stop and sometimes a blank."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


def unifiedqa_columns(category: str, form: str) -> dict[str, list[Any]]:
    with raw_file("BBQ", "data", "additional_metadata.csv").open(encoding="utf-8", newline="") as file:
        target = {
            int(row["example_id"]): int(float(row["target_loc"]))
            for row in csv.DictReader(file)
            if row["category"] == category
        }
    columns: dict[str, list[Any]] = {
        name: [] for name in ("outcome", "choice", "label", "roles", "condition", "cluster")
    }
    path = predictions("bbq_unifiedqa", f"preds_{category}.jsonl")
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        unknown = next(i for i in range(3) if row["answer_info"][f"ans{i}"][-1] == "unknown")
        roles = ["anti_stereotype"] * 3
        roles[unknown] = "unknown"
        roles[target[row["example_id"]]] = "stereotype"
        written = plain(row[f"unifiedqa-t5-11b_pred_{form}"])
        choice = next((i for i in range(3) if plain(row[f"ans{i}"]) == written), -1)
        if choice < 0 and len(written) > CUT:
            choice = next((i for i in range(3) if plain(row[f"ans{i}"]).startswith(written)), -1)
        columns["roles"].append(roles)
        columns["choice"].append(choice)
        columns["outcome"].append(roles[choice] if choice >= 0 else "unparsed")
        columns["label"].append(row["label"])
        columns["condition"].append({"ambig": "ambiguous", "disambig": "disambiguated"}[row["context_condition"]])
        columns["cluster"].append(row["question_index"])
    return columns


@pytest.mark.parametrize("form", ["arc", "race"])
@pytest.mark.parametrize("category", ["Age", "Disability_status", "Physical_appearance"])
def test_bbq_unifiedqa(category: str, form: str) -> None:
    columns = unifiedqa_columns(category, form)
    expected = EXPECTED["bbq_unifiedqa_11b"][category][form]
    scores = estimates("bbq", columns)
    assert columns["outcome"].count("unparsed") == expected["unmatched_ambig"] + expected["unmatched_disambig"]
    assert scores["sAMB"] == pytest.approx(expected["s_amb"], abs=0.0051)
    assert scores["sDIS"] == pytest.approx(expected["s_dis"], abs=0.0051)
    assert scores["accuracy_ambiguous"] == pytest.approx(expected["acc_ambig"], abs=0.0051)
    assert scores["accuracy_disambiguated"] == pytest.approx(expected["acc_disambig"], abs=0.0051)
    assert scores["cost_of_nonalignment"] == pytest.approx(expected["alignment_cost"], abs=0.0051)
    if category != "Physical_appearance":  # 36 of its rows were corrected upstream after the figure was printed
        assert [round(scores["sAMB"], 1), round(scores["sDIS"], 1)] == expected["paper_fig3"]


def test_stereoset_gpt2() -> None:
    dev = json.loads(raw_file("StereoSet", "data", "dev.json").read_text(encoding="utf-8"))
    published = json.loads(predictions("stereoset_gpt2", "predictions_intrasentence.json").read_text(encoding="utf-8"))
    score = {row["id"]: row["score"] for row in published["intrasentence"]}
    role = {"stereotype": "stereotype", "anti-stereotype": "anti_stereotype", "unrelated": "unrelated"}
    examples = dev["data"]["intrasentence"]
    columns: dict[str, list[Any]] = {
        "outcome": ["stereotype"] * len(examples),
        "condition": ["intrasentence"] * len(examples),
        "cluster": [example["target"] for example in examples],
        "roles": [[role[sentence["gold_label"]] for sentence in example["sentences"]] for example in examples],
        # the released scores are 2^(mean log2 p): their logarithm is the mean log-probability of one token
        "option_logprobs": [
            [np.log(score[sentence["id"]]) for sentence in example["sentences"]] for example in examples
        ],
        "n_tokens": [[1, 1, 1]] * len(examples),
    }
    expected = EXPECTED["stereoset_gpt2"]["intrasentence"]
    scores = estimates("stereoset", columns)
    assert len(examples) == expected["n"]
    assert scores["lms"] == pytest.approx(expected["lms"], abs=1e-9)
    assert scores["ss"] == pytest.approx(expected["ss"], abs=1e-9)
    assert scores["icat"] == pytest.approx(expected["icat"], abs=1e-9)
