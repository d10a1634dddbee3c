"""What damaged data pass on, on the page: sentences, tables, verdicts and figure of networks whose losses are known."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from damage_runs import LEVELS, planted
from unrendered import unrendered

from edgebias.cli import command
from edgebias.core.settings import parse_settings
from edgebias.report.data import Sources, StudyData, read_data
from edgebias.report.figures import draw_all, styled
from edgebias.report.metrics import headline_metrics
from edgebias.report.page import render
from edgebias.report.pages import damage_figure, study_page
from edgebias.report.sections import damage
from edgebias.report.sections.damage import parts
from edgebias.report.sections.damage.claims import TOO_SMALL, claims_table
from edgebias.report.sections.damage.figure import draw
from edgebias.report.sections.damage.rows import Found
from edgebias.report.sections.damage.sentences import finding
from edgebias.report.trust_claims import NOT_SUPPORTED, NOT_TESTABLE, SUPPORTED
from edgebias.train.damage.effects import dose_table, effect_table, mended_table


def found_of(**planting: Any) -> Found:
    runs = planted(**planting)
    tables = {"effects": effect_table, "doses": dose_table, "mended": mended_table}
    return {name: make(runs, 0.95, "holm").to_dict("records") for name, make in tables.items()}


@cache
def known() -> Found:
    """The tables of the losses as they are planted by default: made when asked for, never while tests are collected."""
    return found_of()


def verdicts(found: Found) -> dict[str, str]:
    return {row[0].partition(":")[0]: row[1] for row in claims_table(found).rows}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, study_writer: Callable[[Path], list[str]]) -> StudyData:
    """An invented study with networks on damaged images."""
    root = tmp_path_factory.mktemp("damage")
    written = study_writer(root)
    named = dict(zip(written[::2], written[1::2], strict=True))
    (root / "damage").mkdir()
    planted().to_csv(root / "damage/runs.csv", index=False)
    outputs = [part for name in known() for part in (f"--{name}", str(root / f"damage/{name}.csv"))]
    command("damage")(["--settings", '{"compare": {}}', "--runs", str(root / "damage/runs.csv"), *outputs])
    settings = parse_settings(named["--settings"]) | {"damage": {}}
    paths = ("--items-folder", "--variants-folder", "--results", "--paper", "--hardware")
    return read_data(settings, Sources(*(Path(named[name]) for name in paths)))


def test_planted_losses_are_judged_as_planted() -> None:
    """Wrong labels do nothing; the others pass on, half as much out-of-domain; both mitigations win."""
    assert verdicts(known()) == {
        "Corrupted pixels": SUPPORTED,
        "A long tail": SUPPORTED,
        "Wrong labels": NOT_SUPPORTED,
        "Images of another domain": SUPPORTED,
        "More damage, more inheritance": SUPPORTED,
        "It costs more on another kind of images than on the same kind": NOT_SUPPORTED,
        "A little label noise helps in-domain and hurts out-of-domain (arXiv 2309.17002)": TOO_SMALL,
        "A long tail passes on as a bias against what was rare": SUPPORTED,
        "A planted trigger survives transfer (security)": SUPPORTED,
        "It can be seen inside, in the singular values of the features": SUPPORTED,
        "Re-weighting in pre-training mends a long tail": SUPPORTED,
        "Tuning that shapes the spectrum mends it without pre-training anew": SUPPORTED,
        "What was learned by heart can be extracted": NOT_TESTABLE,
        "Values are misaligned": NOT_TESTABLE,
    }


def test_losses_that_drown_in_noise_are_too_small_to_see() -> None:
    loud = verdicts(found_of(noise=lambda seed: 40.0 * math.sin(9.0 * seed + 1.0)))
    for claim in ("Corrupted pixels", "A long tail", "Images of another domain", "More damage, more inheritance"):
        assert loud[claim] == TOO_SMALL


def test_seeds_that_all_agree_are_no_evidence() -> None:
    still = verdicts(found_of(noise=lambda seed: 0.0))
    assert still["Corrupted pixels"] == NOT_TESTABLE
    assert still["Wrong labels"] == NOT_SUPPORTED


def test_the_sentences_give_sizes_and_counts() -> None:
    said = finding(known())
    assert said.startswith(
        "Fitted to clean images, networks stay worse beyond doubt after 3 of 4 damages in-domain, and after 3 "
        "out-of-domain (worst levels). A planted trigger gains +18."
    )
    assert "beats the linear probe beyond doubt in 8 of 8 pairs of damage and domain. In 8 of these it also" in said
    assert "Without any damage it changes accuracy by +2" in said
    understand, interpret, mitigate = parts(known())
    assert [part["name"] for part in (understand, interpret, mitigate)] == ["Understand", "Interpret", "Mitigate"]
    assert "Corrupted pixels (80 %): the network itself changes by −1" in understand["sentence"]
    assert "A long tail (100 : 1)" in understand["sentence"]
    assert "Undamaged, the features of clean images fill 15 directions" in interpret["sentence"].replace("15.0", "15")
    assert "Fewer are filled with corrupted pixels, a long tail and images of another domain." in interpret["sentence"]


def test_the_tables_have_a_row_for_each_damage_and_domain() -> None:
    _, worst, slopes, trigger = parts(known())[0]["tables"]
    assert [row[0] for row in worst.rows[::3]][:2] == ["corrupted pixels", "a long tail"]
    assert worst.rows[0][1] == "80 %"
    assert len(slopes.rows) == 8
    assert len(trigger.rows) == 4 * len(LEVELS.trigger)
    (mended,) = parts(known())[2]["tables"]
    weighted = [row for row in mended.rows if row[2].startswith("re-weighting")]
    assert [row[3] for row in weighted] == [
        "the linear probe",
        "the linear probe",
        "before transfer",
        "before transfer",
    ]
    assert all(
        len(row) == len(table.heads) for part in parts(known()) for table in part["tables"] for row in table.rows
    )


def test_the_figure_has_a_line_for_each_domain_and_stands_at_what_was_planted() -> None:
    with styled():
        canvas = draw(known())
        assert canvas is not None
        assert len(canvas.axes) == 8
        corrupted = canvas.axes[4]
        points = [bar.lines[0].get_ydata()[0] for bar in corrupted.containers]
        effects = [
            row["change"]
            for row in known()["effects"]
            if (row["damage"], row["adaptation"], row["measure"]) == ("corrupted", "linear", "accuracy")
            and row["domain"] != "out_minus_in"
        ]
        assert sorted(points) == sorted(effects)
        assert [text.get_text() for text in corrupted.get_xticklabels()] == ["none", "40 %", "80 %"]


def test_of_nothing_nothing_is_said() -> None:
    assert finding({}) == ""
    assert draw({}) is None


def test_undefined_changes_are_no_fault() -> None:
    gone = {
        name: [row | {"low": None, "high": None, "p_corrected": None} for row in rows] for name, rows in known().items()
    }
    gone["effects"] = [row | {"change": None} for row in gone["effects"]]
    with styled():
        assert draw(gone) is not None
    assert set(verdicts(gone).values()) == {NOT_TESTABLE}
    assert "after 0 of 4 damages" in finding(gone)
    assert parts(gone)


@pytest.mark.slow
def test_the_page_has_the_section_only_where_networks_were_trained(study: StudyData) -> None:
    with unrendered():
        page = render(study, draw_all(study, [damage.DRAWING]))
    assert '<section id="damage">' in page
    assert '<figure id="figure-damage">' in page
    assert "<h3>Interpret</h3>" in page
    assert page.count("networks stay worse beyond doubt after 3 of 4 damages") == 2, "in the answer and in the section"
    without = replace(study, damage={})
    assert '<section id="damage">' not in render(without, [])
    assert "damage" not in headline_metrics(without)["findings"]


@pytest.mark.slow
def test_the_page_of_results_is_written_from_the_headline_numbers(study: StudyData) -> None:
    findings = json.loads(json.dumps(headline_metrics(study)))["findings"]
    page = study_page(findings, [], "mine")
    assert "## What damaged data pass on" in page
    assert "![Change of accuracy by damage and level, in-domain and out-of-domain](mine-levels.svg)" in page
    assert "### Mitigate" in page
    svg = damage_figure(findings)
    assert svg is not None
    assert svg == damage_figure(findings)
    assert damage_figure({key: value for key, value in findings.items() if key != "damage"}) is None
