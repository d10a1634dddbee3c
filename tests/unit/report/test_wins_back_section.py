"""What steering wins back on the page: what sentence, tables and figure say of builds whose changes are known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from unrendered import unrendered

from edgebias.cli import command
from edgebias.core.settings import parse_settings
from edgebias.report.data import WINS_BACK_COLUMNS, Sources, StudyData, read_data
from edgebias.report.figures import draw_all, styled
from edgebias.report.metrics import headline_metrics
from edgebias.report.page import render
from edgebias.report.pages import study_page, wins_back_figure
from edgebias.report.sections import wins_back
from edgebias.report.sections.wins_back import draw, sentence, tables
from edgebias.report.won import won

NAN = math.nan
SIZES = {"wanda2_4": (16.0, 0.5), "rtn3": (3.25, 0.0), "full": (16.0, 0.0), "rtn4": (4.25, 0.0)}
"""Bits and zeros of the builds, in no order."""

REMOVED = {
    "full": {"own": (6.0, 0.01)},
    "rtn4": {"own": (5.0, 0.01), "full": (4.0, 0.02), "between": (1.0, 0.9)},
    "rtn3": {"own": (4.0, 0.03), "full": (0.5, 0.9), "between": (3.5, 0.04)},
    "wanda2_4": {"own": (1.0, 0.6), "full": (-3.0, 0.03), "between": (4.0, 0.04)},
}
"""Points that each vector removes, and the corrected p-value; intervals have two points around them where p is low."""


def rows(form: str = "likelihood") -> list[dict[str, Any]]:
    found = []
    for variant, (bits, pruned) in SIZES.items():
        place = {"environment": "edge", "model": "tiny", "variant": variant, "method": "open_loop"}
        place |= {"bits_per_weight": bits, "pruned": pruned, "format": form}
        for vector, (change, p) in REMOVED[variant].items():
            against = "full" if vector == "between" else "none"
            steered = {"vector": "own" if vector == "between" else vector, "against": against}
            half = 2.0 if p < 0.05 else 8.0
            interval = {"change": change, "low": change - half, "high": change + half, "p_corrected": p}
            share = {"percent": 10 * change, "percent_low": 10 * change - 20, "percent_high": 10 * change + 20}
            bias = {"measure": "bias", "suite": "stereoset", "metric": "ss", "ideal": 50.0, "before": 60.0}
            bias |= {"after": 60.0 - change, "minimum_detectable_effect": 2.8, "headroom": "yes: baseline 60.0"}
            found.append(place | steered | bias | interval | share)
            if against == "full":
                continue
            absent = dict.fromkeys(("percent", "percent_low", "percent_high", "minimum_detectable_effect"), NAN)
            kept = {"measure": "utility", "headroom": NAN, "ideal": 0.0, "before": NAN, "after": NAN, **absent}
            for suite, metric, size in (
                ("stereoset", "lms", -0.5),
                ("neutral_text", "perplexity_rise", -1.0),
                ("reference_answers", "perplexity_rise", 2.0 + change / 10),
            ):
                moved = {"change": size, "low": size - 0.25, "high": size + 0.25, "p_corrected": NAN}
                found.append(place | steered | kept | moved | {"suite": suite, "metric": metric})
    return found


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, study_writer: Callable[[Path], list[str]]) -> StudyData:
    """An invented study that also asks what vectors win back."""
    root = tmp_path_factory.mktemp("wins_back")
    written = study_writer(root)
    named = dict(zip(written[::2], written[1::2], strict=True))
    settings = parse_settings(named["--settings"])
    settings["study"]["wins_back"] = [{"environment": "edge", "model": "tiny", "variant": name} for name in SIZES]
    pd.DataFrame(rows(), columns=list(WINS_BACK_COLUMNS)).to_csv(root / "mitigation/wins_back.csv", index=False)
    paths = ("--items-folder", "--variants-folder", "--results", "--paper", "--hardware")
    return read_data(settings, Sources(*(Path(named[name]) for name in paths)))


def test_builds_stand_from_full_over_fewer_bits_to_the_pruned() -> None:
    names = [one.name for one in won(rows())]
    assert names == ["full (16 bits)", "rtn4 (4.25 bits)", "rtn3 (3.25 bits)", "wanda2_4 (16 bits, 50 % zeros)"]


def test_the_sentence_counts_what_is_beyond_doubt() -> None:
    """Of four builds three win back; along the full build's vector one of three, and one loses."""
    said = sentence(rows())
    assert said == (
        "A build's own vector lowers bias beyond doubt in 3 of 4 builds (StereoSet ss, held-out items). The full "
        "build's vector lowers bias beyond doubt in 1 of 3 compressed builds. It raises bias beyond doubt in 1. "
        "Between the two, no difference is detectable in 1 of 3 compressed builds. A build's own vector removes more "
        "in 2 and less in 0. The smallest detectable difference is 2.80 points. The perplexity of reference answers "
        "rises by at most 2.60 % [2.35, 2.85]: full (16 bits), its own vector."
    )


def test_a_build_without_bias_is_named_and_proves_nothing() -> None:
    unbiased = [row | {"headroom": "no: noise"} if row["variant"] == "rtn4" else row for row in rows()]
    assert "No bias beyond noise was found in: rtn4 (4.25 bits)." in sentence(unbiased)


def test_of_nothing_nothing_is_said() -> None:
    assert sentence([]) == ""
    assert tables([]) == ()
    assert draw([]) is None


def test_the_tables_show_both_vectors_and_what_lies_between_them() -> None:
    steered, between = tables(rows())
    assert [row[:2] for row in steered.rows][:3] == [
        ("full (16 bits)", "own"),
        ("rtn4 (4.25 bits)", "own"),
        ("rtn4 (4.25 bits)", "full"),
    ]
    named = dict(zip(steered.heads, steered.rows[2], strict=True))
    assert named["Distance from the ideal removed (points) [low, high]"] == "+4.00 [2.00, 6.00]"
    assert named["The same in per cent [low, high]"] == "+40 [20, 60]"
    assert named["Utility, change [low, high]"] == "lms −0.500 [−0.750, −0.250]"
    assert named["Perplexity of reference answers, rise in per cent [low, high]"] == "+2.40 [2.15, 2.65]"
    assert [row[0] for row in between.rows] == [
        "rtn4 (4.25 bits)",
        "rtn3 (3.25 bits)",
        "wanda2_4 (16 bits, 50 % zeros)",
    ]
    assert between.rows[1][4] == "+3.50 [1.50, 5.50]"


def test_the_figure_has_a_point_for_each_vector_of_each_build() -> None:
    with styled():
        canvas = draw(rows())
        assert canvas is not None
        bias, *costs = canvas.axes
        points = [bar.lines[0].get_xdata()[0] for bar in bias.containers]
        assert sorted(points) == sorted(
            change for of in REMOVED.values() for name, (change, _) in of.items() if name != "between"
        )
        assert [len(axes.containers) for axes in costs] == [7, 7]


def test_an_undefined_change_is_no_fault() -> None:
    empty = [row | {"change": NAN, "low": NAN, "high": NAN, "p_corrected": NAN} for row in rows()]
    with styled():
        assert draw(empty) is not None
    assert "lowers bias beyond doubt in 0 of 4 builds" in sentence(empty)
    assert tables(empty)


@pytest.mark.slow
def test_the_page_has_the_section_only_where_vectors_were_compared(study: StudyData) -> None:
    with unrendered():
        page = render(study, draw_all(study, [wins_back.DRAWING]))
    assert '<section id="wins_back">' in page
    assert '<figure id="figure-wins-back">' in page
    assert page.count("lowers bias beyond doubt in 3 of 4 builds") == 2, "in the answer and in the section"
    without = replace(study, wins_back=study.wins_back.iloc[:0])
    assert "wins_back" not in render(without, [])
    assert "wins_back" not in headline_metrics(without)["findings"]


def test_the_page_of_results_says_the_same_from_the_headline_numbers(study: StudyData) -> None:
    findings = json.loads(json.dumps(headline_metrics(study)["findings"]))
    page = study_page(findings, [], "wins_back")
    assert wins_back.wins_back_sentence(study) in page
    assert "(wins_back-vectors.svg)" in page
    assert "| rtn3 (3.25 bits) | own |" in page
    assert wins_back_figure(findings) == draw_all(study, [wins_back.DRAWING])[0].svg


@pytest.mark.slow
def test_the_command_writes_the_figure_beside_the_page(study: StudyData, tmp_path: Path) -> None:
    metrics, page = tmp_path / "metrics.json", tmp_path / "wins_back.md"
    metrics.write_text(json.dumps(headline_metrics(study)), encoding="utf-8")
    command("pages")(["--metrics", str(metrics), "--markdown", str(page)])
    assert (tmp_path / "wins_back-vectors.svg").read_text(encoding="utf-8").startswith("<?xml")
