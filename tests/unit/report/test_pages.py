"""The pages of the results say what ``metrics.json`` says, and those that are committed are its fresh rendering."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebias.checks.claims import Verdict, read_verdicts
from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.report.pages import (
    BEGIN,
    END,
    changed_answers,
    findings_of,
    headlines,
    scores_figure,
    study_page,
    with_findings,
)
from edgebias.stages.pages import run

CHECKOUT = Path(__file__).resolve().parents[3]
PAGES = CHECKOUT / "docs/results"
STUDIES = sorted(path.stem for path in PAGES.glob("*.md") if (CHECKOUT / f"results/{path.stem}/report").exists())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, study_writer: Callable[[Path], list[str]]) -> Path:
    root = tmp_path_factory.mktemp("pages")
    *common, _, metrics, _, _ = study_writer(root)
    command("report")([*common, "--metrics", metrics])
    return root


@pytest.fixture
def findings(written: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((written / "report/metrics.json").read_text(encoding="utf-8"))["findings"]
    return found


def contrast(difference: float, low: float | None, high: float | None, p: float | None) -> dict[str, Any]:
    cells = {"kind": "environment", "cell_a": "edge full", "cell_b": "desktop full"}
    key = {"suite": "bbq", "metric": "sAMB", "format": "likelihood"}
    size = {"difference": difference, "low": low, "high": high, "p_corrected": p, "minimum_detectable_effect": 1.0}
    return cells | key | size


def test_the_page_has_every_score_difference_and_reduction_of_the_findings(findings: dict[str, Any]) -> None:
    page = study_page(findings, [Verdict("a", "FAIL", "9 of 10 hold", "A thing | holds")], "tiny")
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert len(rows) >= len(findings["scores"]) + len(findings["contrasts"]) + len(findings["reductions"])
    row = findings["scores"][0]
    assert any(f"{row['estimate']:.3g}" in line for line in rows)
    assert r"| A thing \| holds | FAIL | 9 of 10 hold |" in rows
    assert "Claims" not in study_page(findings, [], "tiny")


def test_a_study_of_one_build_has_a_page_without_what_it_did_not_do(findings: dict[str, Any]) -> None:
    page = study_page(findings | {"contrasts": [], "reductions": [], "methods": []}, [], "tiny")
    assert "## Scores" in page
    assert "## Differences" not in page
    assert "## Mitigation" not in page
    assert "No build ran in two environments." in page


def test_headlines_have_short_sentences(findings: dict[str, Any]) -> None:
    for sentence in re.split(r"(?<=\.) ", " ".join(headlines(findings))):
        assert len(sentence.split()) <= 25, sentence


@pytest.mark.parametrize(
    ("contrasts", "said"),
    [
        ([contrast(0.5, -0.1, 1.1, 0.4)], "none of 1 differences between environments is detectable"),
        ([contrast(0.5, 0.1, 1.1, 0.4)], "none of 1 differences between environments is detectable"),
        ([contrast(9.0, -1.0, 19.0, 0.4), contrast(-3.0, -4.0, -2.0, 0.01)], "largest of them is −3.00 points"),
        ([contrast(9.0, None, None, None)], "none of 1 differences"),
        ([contrast(0.0, 0.0, 0.0, 1.0)], "exactly the same"),
        ([], "No build ran in two environments"),
    ],
)
def test_a_difference_is_detectable_only_after_correction_and_beside_its_interval(
    contrasts: list[dict[str, Any]], said: str, findings: dict[str, Any]
) -> None:
    assert said in headlines(findings | {"contrasts": contrasts})[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "survives the correction"),
        ({"verdict": "unclear"}, "No effect is detectable"),
        ({"verdict": "uncorrected"}, "does not survive the correction"),
        ({"relative": None}, "no measurable bias to remove"),
        ({"method": "instruction"}, "No feedback loop was evaluated"),
    ],
)
def test_a_reduction_is_claimed_as_far_as_its_verdict_goes(
    changes: dict[str, Any], said: str, findings: dict[str, Any]
) -> None:
    (loop,) = [row for row in findings["reductions"] if row["method"] == "feedback loop"]
    assert said in headlines(findings | {"reductions": [loop | changes]})[2]


@pytest.mark.slow
def test_the_figure_follows_the_findings_and_is_the_same_again(findings: dict[str, Any]) -> None:
    drawn = scores_figure(findings)
    assert scores_figure(findings) == drawn
    moved = [row | {"estimate": 1.0} if position == 0 else row for position, row in enumerate(findings["scores"])]
    assert scores_figure(findings | {"scores": moved}) != drawn


@pytest.mark.slow
def test_the_command_writes_page_figure_verdicts_and_the_block_of_the_readme(written: Path, tmp_path: Path) -> None:
    readme, page = tmp_path / "README.md", tmp_path / "docs/tiny.md"
    readme.write_text(f"Before.\n{BEGIN}\nold\n{END}\nAfter.\n", encoding="utf-8")
    claims = tmp_path / "claims.yaml"
    claim = {"id": "none", "paper": "p", "claim": "A file is there", "reads": {"file": "absent.json", "key": "a"}}
    claim |= {"expect": {"equals": True}, "tier": "exact", "cost": "nothing"}
    claims.write_text(json.dumps({"claims": [claim, claim | {"id": "first", "claim": "Another"}]}), encoding="utf-8")
    verdicts = tmp_path / "claims.csv"
    run(written / "report/metrics.json", page, claims=claims, verdicts=verdicts, readme=readme)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith(f"Before.\n{BEGIN}\n")
    assert text.endswith(f"{END}\nAfter.\n")
    assert "docs/tiny-scores.svg" in text
    assert "old" not in text
    assert (tmp_path / "docs/tiny-scores.svg").read_text(encoding="utf-8").count("<svg") == 1
    assert "| A file is there | FAIL |" in page.read_text(encoding="utf-8")
    found = read_verdicts(verdicts)
    assert [verdict.status for verdict in found] == ["FAIL", "FAIL"]
    findings = json.loads((written / "report/metrics.json").read_text(encoding="utf-8"))["findings"]
    assert page.read_text(encoding="utf-8") == study_page(findings, found, "tiny")


@pytest.mark.parametrize("readme", ["no marks", f"{END} {BEGIN}", f"{BEGIN} {BEGIN} {END}", f"{BEGIN}\n"])
def test_a_readme_without_its_marks_is_refused(readme: str, findings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="findings:begin"):
        with_findings(readme, findings, "tiny", "docs")


def test_numbers_without_findings_are_refused_by_file() -> None:
    with pytest.raises(InputError, match=r"old/metrics\.json"):
        findings_of({"bias": {}}, Path("old/metrics.json"))


@pytest.mark.parametrize("study", STUDIES)
def test_the_committed_pages_are_written_from_the_committed_numbers(study: str) -> None:
    folder = CHECKOUT / f"results/{study}/report"
    findings = findings_of(json.loads((folder / "metrics.json").read_text(encoding="utf-8")), folder / "metrics.json")
    verdicts = read_verdicts(folder / "claims.csv") if (folder / "claims.csv").exists() else []
    assert (PAGES / f"{study}.md").read_text(encoding="utf-8") == study_page(findings, verdicts, study)
    assert (PAGES / f"{study}-scores.svg").read_text(encoding="utf-8") == scores_figure(findings)
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    if f"docs/results/{study}.md" in readme.partition(BEGIN)[2].partition(END)[0]:
        assert readme == with_findings(readme, findings, study, "docs/results")


def test_changed_answers_are_told_with_their_extremes() -> None:
    """The most that an environment alone changes; the least and the most that a build does."""
    rows = [
        {"kind": kind, "cell_a": cell, "suite": "bbq", "format": "letter_balanced", "changed": changed}
        for kind, cell, changed in (
            ("environment", "edge full", 0.0),
            ("environment", "edge full", 2.5),
            ("variant", "edge q8_0", 1.5),
            ("variant", "edge q4_0", 12.0),
            ("deployed", "edge q4_0", 90.0),
        )
    ]
    assert changed_answers(rows) == (
        "With the same weights, at most 2.50 % of the answers change elsewhere. In a compressed build 1.50 % "
        "(edge q8_0, BBQ by letter balanced) to 12 % (edge q4_0, BBQ by letter balanced) do."
    )
    assert changed_answers([]) == "No two cells answered the same questions."
