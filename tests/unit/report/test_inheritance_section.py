"""What self-written data passes on, on the page: sentences, verdicts, tables and the picture of planted studies."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.report.figures import styled
from edgebias.report.sections.inheritance import draw, sentence, tables
from edgebias.report.trust_claims import NOT_SUPPORTED, NOT_TESTABLE, SUPPORTED
from edgebias.suites.occupation_sentences import JOBS

PLACE = {"environment": "edge", "model": "tiny"}
BIAS = "contextual_explicit"
RATIOS = (0.0, 0.05, 0.1, 0.2, 0.5)
MEASURES = {
    "salary": (("expected_salary_gap", "bias", "thousand dollars"),),
    "occupation": (
        ("accuracy_gap", "bias", "points"),
        ("accuracy_male", "men", "points"),
        ("accuracy_female", "women", "points"),
        ("balanced_accuracy", "both", "points"),
    ),
    "winogender": (("gotcha_gap", "bias", "points"), ("accuracy_gotcha", "both", "points")),
}
Study = dict[str, list[dict[str, Any]]]


def measured(suite: str, name: str, aspect: str, unit: str) -> dict[str, Any]:
    return {**PLACE, "suite": suite, "format": "likelihood", "measure": name, "aspect": aspect, "unit": unit}


def study(
    slopes: dict[str, float] | None = None,
    *,
    half: float = 0.5,
    p: float = 0.001,
    p_runs: float = 0.01,
    again: float = 0.1,
    removed: dict[str, float] | None = None,
    more: float = 1.0,
) -> Study:
    """Give scores that move by ``slopes`` for ten points more, each with an interval of ``half`` to either side.

    ``again`` is what the second build of ratio 0 differs by; ``removed`` the share that each mitigation takes away;
    ``more`` the sign of how many more women are written about.
    """
    moved = slopes or {}
    scores, trends, mitigated = [], [], []
    for suite, name, aspect, unit in ((suite, *one) for suite, some in MEASURES.items() for one in some):
        key, slope = measured(suite, name, aspect, unit), moved.get(name, 0.0)
        runs = [(ratio, "none", 0, f"r{100 * ratio:g}") for ratio in RATIOS]
        for ratio, mitigation, seed, variant in [*runs, (0.0, "none", 1, "again"), (math.nan, "untrained", 0, "full")]:
            change = again if seed else 10 * slope * (ratio if ratio == ratio else 0)
            known = math.nan if (ratio, seed) == (0.0, 0) else change
            sure = p if abs(change) > half else 1.0
            scores.append(
                {**key, "variant": variant, "ratio": ratio, "bias": BIAS if ratio > 0 else "", "seed": seed}
                | {"mitigation": mitigation, "ideal": 0.0, "estimate": change, "low": change - half}
                | {"high": change + half, "change": known, "change_low": known - half, "change_high": known + half}
                | {"p_corrected": sure, "minimum_detectable_effect": 1.0, "n_clusters": 40}
            )
        found = abs(slope) > half
        trends.append(
            {**key, "bias": BIAS, "mitigation": "none", "n_runs": 6, "slope": slope, "low": slope - half}
            | {"high": slope + half, "p_corrected": p if found else 1.0, "p_runs": p_runs, "n_clusters": 40}
        )
        inherited = 5 * slope
        for mitigation, gone in (removed or {}).items():
            sure, share = abs(inherited) > half, gone if abs(inherited) > half else math.nan
            effect = -inherited * gone / 100
            mitigated.append(
                {**key, "bias": BIAS, "ratio": 0.5, "seed": 0, "mitigation": mitigation, "inherited": inherited}
                | {"inherited_low": inherited - half, "inherited_high": inherited + half, "difference": effect}
                | {"low": effect - half, "high": effect + half, "p_corrected": p if gone else 1.0, "removed": share}
                | {"removed_low": share - 10, "removed_high": share + 10, "n_clusters": 40}
            )
    texts = [{"kind": BIAS, "job": "nurse", "n_asked": 64, "n_kept": 40, "n_women": 30, "n_men": 2, "unfit": "length"}]
    groups = [
        {"kind": "neutral", "job": job, "n_augmented": 20, "n_original": 300, "augmented": 0.5, "original": 0.2}
        | {"difference": 0.3 * more, "low": 0.3 * more - 0.2, "high": 0.3 * more + 0.2, "p_value": 0.002}
        for job in JOBS
    ]
    shift = [{"kind": BIAS, "n_augmented": 120, "n_original": 120, "shift": 0.04, "by_chance": 0.002, "p_value": 0.001}]
    return {
        "group_data": groups,
        "embedding_shift": shift,
        "inheritance": scores,
        "inheritance_trends": trends,
        "inheritance_mitigations": mitigated,
        "inheritance_texts": texts,
    }


def verdicts(found: Study) -> dict[str, str]:
    return {claim: verdict for claim, verdict, _ in tables(found)[0].rows}


PLANTED = {"accuracy_male": 2.0, "accuracy_female": -3.0, "accuracy_gap": 5.0, "expected_salary_gap": 1.0}
MEN, WOMEN = "Jobs of men are recognised better", "Jobs of women are recognised worse"
SALARY, DIRECT = "The salary gap widens", "The task that is trained for loses at low shares already"
PERSONS = "Asked about nobody in particular, the model writes of more women, architects aside"
INDIRECT = "Indirectly related tasks gain at 10 to 20 %"
TOKEN, ROBUST = (
    "A warning before self-written texts takes away what is inherited",
    "The loss-based term is the most robust mitigation",
)


def test_what_is_planted_is_said_and_supported() -> None:
    found = study(PLANTED)
    said = sentence(found)
    assert "edge tiny: builds with 5, 10, 20 and 50 % of texts that the model wrote itself." in said
    assert (
        "Occupation classification, contextual explicit texts: men's lead is 0 points without self-written texts and "
        "25 with 50 %. It rises with the share of self-written texts (+5.00 [4.50, 5.50] for ten points more)." in said
    )
    assert "Winogender, contextual explicit texts: gotcha gap is 0 points" in said
    assert said.count("No trend is beyond chance") == 1
    assert [verdicts(found)[claim] for claim in (MEN, WOMEN, SALARY)] == [SUPPORTED] * 3


def test_nothing_planted_is_excluded_where_intervals_are_short_and_open_where_they_are_long() -> None:
    """Five times the slope's upper end stays below the margin of 5 points, or of 1,000 dollars, or does not."""
    short, long = verdicts(study(half=0.15)), verdicts(study(half=2.0))
    assert [short[claim] for claim in (MEN, WOMEN, SALARY, DIRECT, INDIRECT)] == [NOT_SUPPORTED] * 5
    assert [long[claim] for claim in (MEN, WOMEN, SALARY)] == [NOT_TESTABLE] * 3


def test_the_other_direction_is_not_supported() -> None:
    assert verdicts(study({"accuracy_male": -3.0}))[MEN] == NOT_SUPPORTED


def test_a_trend_that_chance_of_training_explains_is_no_finding() -> None:
    found = study(PLANTED, p_runs=0.3)
    assert "Builds differ, but not in the order of their shares" in sentence(found)
    assert verdicts(found)[SALARY] == NOT_TESTABLE


def test_abilities_are_judged_at_the_shares_of_the_paper() -> None:
    found = verdicts(study({"balanced_accuracy": -8.0, "accuracy_gotcha": 3.0}))
    assert (found[DIRECT], found[INDIRECT]) == (SUPPORTED, SUPPORTED)


def test_a_change_that_two_builds_of_ratio_0_differ_by_counts_for_nothing() -> None:
    planted, removed = {**PLANTED, "balanced_accuracy": -8.0}, {"token": 60.0, "loss": 90.0}
    assert verdicts(study(planted, removed=removed))[TOKEN] == SUPPORTED
    noisy = study(planted, removed=removed, again=40.0)
    found = verdicts(noisy)
    assert (found[TOKEN], found[DIRECT]) == (NOT_TESTABLE, NOT_TESTABLE)
    assert "No change is inherited beyond chance" in sentence(noisy)


def test_mitigations_are_compared_by_the_tasks_that_they_help() -> None:
    found = study(PLANTED, removed={"token": 0.0, "mask": 0.0, "loss": 90.0})
    assert verdicts(found)[ROBUST] == SUPPORTED
    assert verdicts(found)[TOKEN] == NOT_TESTABLE
    assert "token in 0 of 2, mask in 0 of 2, loss in 2 of 2" in sentence(found)
    alike = study(PLANTED, removed={"token": 90.0, "loss": 90.0})
    assert verdicts(alike)[ROBUST] == NOT_SUPPORTED
    worse = verdicts(study(PLANTED, removed={"token": -50.0, "loss": 90.0}))
    assert worse[TOKEN] == NOT_SUPPORTED


def test_rounds_and_types_of_bias_that_were_not_trained_on_are_not_testable() -> None:
    found = verdicts(study(PLANTED))
    for claim in (
        "Bias accumulates over rounds of training",
        "Contrastive explicit and contextual implicit bias are inherited most",
        TOKEN,
        ROBUST,
    ):
        assert found[claim] == NOT_TESTABLE


def test_whom_the_model_writes_about_is_judged_without_the_exception_of_the_paper() -> None:
    more, fewer = verdicts(study()), verdicts(study(more=-1.0))
    assert (more[PERSONS], fewer[PERSONS]) == (SUPPORTED, NOT_SUPPORTED)
    found = study()
    found["group_data"] = [row | {"p_value": 0.2} for row in found["group_data"] if row["job"] != "architect"]
    assert verdicts(found)[PERSONS] == NOT_TESTABLE
    assert more["Self-written texts are distributed otherwise than real ones"] == SUPPORTED
    assert verdicts(found | {"group_data": [], "embedding_shift": []})[PERSONS] == NOT_TESTABLE


def test_tables_hold_every_build_every_trend_and_what_was_written() -> None:
    found = study(PLANTED, removed={"token": 50.0})
    claims, by_build, trends, mitigations, texts, groups, shifts = tables(found)
    assert len(claims.rows) == 13
    assert [row[0] for row in by_build.rows] == [
        "tiny full",
        *(f"tiny {name}" for name in ("r0", "again", "r5", "r10", "r20", "r50")),
    ]
    assert by_build.heads[3].startswith("Occupation classification: accuracy gap")
    assert by_build.rows[-1][3] == "25 [24.5, 25.5]; change +25 [24.5, 25.5]*"
    assert by_build.rows[2][3].endswith("change +0.100 [−0.400, 0.600]")
    assert len(trends.rows) == 7
    assert {row[-1] for row in trends.rows} == {"rises", "falls", "no trend beyond chance"}
    assert [row[-1] for row in mitigations.rows] == ["50 [40, 60]", "50 [40, 60]", "nothing is inherited beyond doubt"]
    assert texts.rows == (("contextual explicit", "nurse", "64", "40", "30", "2", "length"),)
    assert [row[1] for row in groups.rows] == list(JOBS)
    assert groups.rows[0][3:6] == ("50", "20", "+30 [10.00, 50]")
    assert shifts.rows == (("contextual explicit", "120", "120", "0.040", "0.002", "0.001"),)
    for table in (claims, by_build, trends, mitigations, texts, groups, shifts):
        assert all(len(row) == len(table.heads) for row in table.rows)


def test_a_panel_for_each_task_says_what_was_found() -> None:
    found = study(PLANTED, removed={"token": 50.0})
    with styled():
        canvas = draw(found)
    assert canvas is not None
    assert [axes.get_title() for axes in canvas.axes] == [
        "Is a man's job recognised better?\nRises with self-written texts",
        "Is a man offered more?\nRises with self-written texts",
        "Winogender: gotcha gap\nNo trend beyond chance",
    ]
    line = canvas.axes[0].lines
    drawn = [tuple(one.get_ydata()) for one in line if len(one.get_ydata()) == len(RATIOS)]
    assert drawn
    assert all(values == pytest.approx([50 * ratio for ratio in RATIOS]) for values in drawn)


def test_nothing_is_said_or_drawn_of_no_builds() -> None:
    assert sentence({}) == ""
    assert tables({}) == ()
    assert draw({}) is None


@pytest.mark.slow
def test_the_chapter_goes_from_the_tables_to_both_pages(
    tmp_path: Path, study_writer: Callable[[Path], list[str]]
) -> None:
    """The page of the study and that of the results say the same of builds trained on mixtures."""
    arguments = study_writer(tmp_path)
    settings = json.loads(arguments[1])
    settings["trained_on"] = {"r50": {"ratio": 0.5, "bias": BIAS, "mitigation": "none", "seed": 0}}
    *common, _, metrics, _, page = [arguments[0], json.dumps(settings), *arguments[2:]]
    found = study(PLANTED, removed={"token": 50.0})
    settings["writer"] = {"environment": "edge", "model": "tiny", "variant": "full"}
    common[1] = json.dumps(settings)
    written = tmp_path / "augmented/edge/tiny/full"
    written.mkdir(parents=True)
    for name, rows in found.items():
        folder = written if name in ("group_data", "embedding_shift") else tmp_path / "compare"
        pd.DataFrame(rows).to_csv(folder / f"{name}.csv", index=False)
    command("report")([*common, "--metrics", metrics])
    command("page")([*common, "--page", page])
    markdown = tmp_path / "docs/mine.md"
    command("pages")(["--metrics", metrics, "--markdown", str(markdown)])
    said = "It rises with the share of self-written texts"
    for path in (Path(page), markdown):
        text = path.read_text(encoding="utf-8")
        assert text.count(said) >= 1
        assert "What self-written data passes on" in text
        assert "What the model wrote" in text
    assert (tmp_path / "docs/mine-inheritance.svg").exists()
