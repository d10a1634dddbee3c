"""Compression and trust on the page: what sentences, tables and pictures say of builds whose answers are known."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from unrendered import unrendered

from edgebias.core.files import read_table
from edgebias.core.settings import parse_settings
from edgebias.report.data import TRUST_COLUMNS, Sources, StudyData, read_data
from edgebias.report.figures import draw_all, styled
from edgebias.report.metrics import headline_metrics
from edgebias.report.page import render
from edgebias.report.pages import study_page, trust_figure
from edgebias.report.sections import compression
from edgebias.report.sections.compression import paper as compression_paper
from edgebias.report.sections.compression.controls import control_sentences, control_table
from edgebias.report.sections.compression.heat import DIFFERENCES
from edgebias.report.sections.compression.tables import seed_table, trust_table
from edgebias.report.sections.compression.verdicts import verdict_table
from edgebias.report.trust import GAINS, KEEPS, LOSES, UNCLEAR, UNDEFINED, Build, Judged, judged
from edgebias.report.trust_claims import verdicts

pytestmark = pytest.mark.slow

PRINTED = Path(__file__).parents[3] / "data/paper/compressed_trust.csv"


@pytest.fixture(scope="module")
def study(
    trust_study: Path, tmp_path_factory: pytest.TempPathFactory, study_writer: Callable[[Path], list[str]]
) -> StudyData:
    root = tmp_path_factory.mktemp("study")
    arguments = study_writer(root)
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    places = (given[f"--{name}"] for name in ("items-folder", "variants-folder", "results", "paper", "hardware"))
    data = read_data(parse_settings(given["--settings"]), Sources(*map(Path, places)))
    return replace(
        data,
        suites=(*data.suites, "quiz", "creed"),
        trust={name: read_table(trust_study / "compare" / f"{name}.csv", ()) for name in TRUST_COLUMNS},
        trust_paper=read_table(PRINTED, ()),
    )


def found(study: StudyData, variant: str, suite: str) -> Judged:
    return next(one for one in judged(study) if (one.build.variant, one.suite) == (variant, suite))


def test_each_build_and_dimension_has_a_verdict(study: StudyData) -> None:
    assert found(study, "q3_k_m", "quiz").verdict == LOSES
    assert found(study, "q8_0", "quiz").verdict == KEEPS
    assert found(study, "other_text", "quiz").verdict == UNCLEAR
    assert found(study, "magnitude50", "creed").verdict == UNDEFINED


def test_the_finding_counts_dimensions_and_leaves_ability_out(study: StudyData) -> None:
    assert compression.trust_finding(study) == (
        "In 3 of 7 comparisons no difference of trust is detectable. Trust is lost in 2 and gained in none. It is "
        "kept, within 5 points, in 1. In each of the 1 kept or gained, a control that does not read has as much trust, "
        "which proves nothing. In 1 the difference is undefined. Compared with the full build, on the same items: 7 "
        "compressed builds."
    )
    assert compression.trust_finding(replace(study, trust={})) == ""


def verdict_rows(found: list[Judged]) -> dict[str, dict[str, str]]:
    table = verdict_table(found)
    return {row[0]: dict(zip(table.heads, row, strict=True)) for row in table.rows}


def test_the_table_of_verdicts_names_losses_with_their_size(study: StudyData) -> None:
    rows = verdict_rows(judged(study))
    assert "Gains [low, high]" not in rows["q8_0"], "no build gains"
    assert re.search(r"benign \(−20 \[", rows["q3_k_m"]["Loses [low, high]"])
    assert (rows["q8_0"]["Size"], rows["q8_0"]["Keeps"]) == ("8.5 bits", "benign")
    assert rows["q8_0"]["Keeps or gains, as a control does"] == "stereotype"
    assert rows["magnitude50"]["Perplexity, full build = 1"] == "4.50, broken"
    assert rows["magnitude50"]["Size"].endswith("50 % zeros")
    assert rows["magnitude50"]["Undefined"] == "stereotype"


def test_many_dimensions_without_a_difference_are_counted() -> None:
    names = ["toxicity", "stereotype", "privacy", "ethics", "fairness"]
    unclear = [one("q4_0", name, -1.0, 9.0) for name in names]
    head = "No difference is detectable"
    assert verdict_rows(unclear)["q4_0"][head] == "all 5"
    assert verdict_rows([*unclear, one("q4_0", "benign", -20.0)])["q4_0"][head] == "the other 5"
    assert verdict_rows(unclear[:3])["q4_0"][head] == "toxicity, stereotype, privacy"


def test_controls_stand_beside_the_full_build(study: StudyData) -> None:
    table = control_table(study)
    rows = {row[1]: dict(zip(table.heads, row, strict=True)) for row in table.rows}
    quiz = rows["Quiz (likelihood)"]
    assert quiz["Always refuses"] == "cannot win: undefined"
    assert quiz["Always the first option"] == "25"
    assert quiz["What its items are"] == "C: a quiz for tests"
    assert quiz["Always the last option"] == "25"
    assert rows["Creed (letter)"]["Always the last option"] == "100 †"


def test_a_control_that_reaches_the_full_build_is_told(study: StudyData) -> None:
    """A full build with 26 of 100 right answers is within reach of a guess: no build can be praised there."""
    poor = study.trust["trust"].copy()
    full = (poor["variant"] == "full") & (poor["suite"] == "quiz")
    poor.loc[full, ["trust", "low", "high"]] = [26.0, 18.0, 34.0]
    weak = replace(study, trust={**study.trust, "trust": poor})
    _, said = control_sentences(weak)
    assert said.startswith("Benign: the full build has 26 [18, 34] (likelihood).")
    assert re.search(r" Within its interval: .*“random” \(2\d", said)
    assert "Above" not in said
    assert verdict_rows(judged(weak))["q8_0"]["Keeps"] == "benign", "not one answer changed"
    moved = verdict_rows(judged(raised(weak)))["q8_0"]
    assert moved["Keeps or gains, as a control does"] == "stereotype, benign"


def raised(study: StudyData) -> StudyData:
    """The study with a build that answers the quiz otherwise and no worse."""
    table = study.trust["trust"].copy()
    moved = (table["variant"] == "q8_0") & (table["suite"] == "quiz")
    names = ["difference", "difference_low", "difference_high", "p_corrected", "changed_high"]
    table.loc[moved, names] = [1.0, -3.0, 5.0, 0.9, 30.0]
    return replace(study, trust={**study.trust, "trust": table})


def test_the_table_shows_fidelity_bounds_and_verdict(study: StudyData) -> None:
    table = trust_table(study)
    rows = [dict(zip(table.heads, row, strict=True)) for row in table.rows]
    refused = next(row for row in rows if row["Build"] == "magnitude50" and row["Dimension"] == "stereotype")
    assert refused["What its items are"] == "C: statements for tests"
    assert (refused["Trust [low, high]"], refused["Worst to best case"]) == ("undefined", "[0, 100]")
    assert (refused["Refused"], refused["Verdict"]) == ("100", "undefined")
    lost = next(row for row in rows if row["Build"] == "q3_k_m" and row["Suite (format)"] == "Quiz (likelihood)")
    assert lost["Newly worse"].startswith("25.0 [") or lost["Newly worse"].startswith("25 [")
    assert lost["Newly worse"].endswith("wrong")


def test_seeds_have_a_spread(study: StudyData) -> None:
    table = seed_table(study)
    quiz = next(row for row in table.rows if row[2] == "benign")
    assert quiz[0] == "edge tiny: gptq 4 bits in groups of 64 as F16"
    assert quiz[1] == "gptq4, other_text, third"
    assert quiz[3:] == ("74", "4.00", "70 to 78", "−6.00")


def test_pictures_frame_what_is_beyond_doubt(study: StudyData) -> None:
    with styled():
        canvas = DIFFERENCES.draw(study)
        assert canvas is not None
        axes = canvas.axes[0]
        frames = [patch for patch in axes.patches if not patch.get_fill() and not patch.get_hatch()]
        sure = sum(one.is_sure for one in judged(study))
        assert len(frames) == sure > 0
        texts = {text.get_text() for text in axes.texts}
    assert {"−20", "0 ≈", "undef."} <= texts


def test_the_page_has_the_chapter_only_with_trust(study: StudyData) -> None:
    drawings = [*compression.SECTION.drawings, *compression_paper.SECTION.drawings]
    with unrendered():
        page = render(study, draw_all(study, drawings))
    assert '<section id="compression">' in page
    for name in ("trust-differences", "trust-no-answers", "trust-doses", "trust-paper"):
        assert f'<figure id="figure-{name}">' in page
    without = render(replace(study, trust={}, trust_paper=pd.DataFrame()), [])
    assert "compression_paper" not in without
    assert 'id="compression"' not in without


def test_the_page_of_results_says_the_same_from_the_headline_numbers(study: StudyData) -> None:
    """What `edgebias pages` reads is JSON: nothing of a verdict or a picture is lost in it."""
    findings = json.loads(json.dumps(headline_metrics(study)["findings"]))
    page = study_page(findings, [], "compression")
    assert compression.trust_finding(study) in page
    for row in verdict_table(judged(study)).rows:
        assert f"| {' | '.join(row)} |" in page
    assert "(compression-trust.svg)" in page
    assert "Quantisation to 4 bits keeps trust" in page
    drawn = trust_figure(findings)
    assert drawn is not None
    assert drawn == draw_all(study, [DIFFERENCES])[0].svg


BUILDS = {
    "q4_0": Build("edge", "m", "q4_0", 4, 4.5, 0.0, 21.0, -1, 1.05),
    "q8_0": Build("edge", "m", "q8_0", 8, 8.5, 0.0, 20.0, -1, 1.0),
    "q3": Build("edge", "m", "q3", 3, 3.5, 0.0, 25.0, -1, 1.3),
    "half": Build("edge", "m", "half", 16, 16.0, 0.5, 90.0, -1, 4.5),
}


def one(build: str, dimension: str, difference: float, reach: float = 2.0, **changes: Any) -> Judged:
    """A difference with an interval of ``reach`` to both sides, beyond doubt where that excludes 0."""
    p = 0.001 if abs(difference) > reach else 0.5
    record = Judged(
        *(BUILDS[build], dimension, dimension, "likelihood", 60.0),
        *(difference, difference - reach, difference + reach, p, 3.0, 30.0, ()),
    )
    return replace(record, **changes)


@pytest.mark.parametrize(
    ("place", "some", "verdict"),
    [
        (0, [one("q4_0", "ethics", 0.0), one("q4_0", "privacy", 0.0)], "supported"),
        (0, [one("q4_0", "ethics", 0.0), one("q4_0", "privacy", -9.0)], "not supported"),
        (0, [one("q4_0", "ethics", 0.0), one("q4_0", "privacy", -9.0, 10.0)], "not testable here"),
        (0, [one("q4_0", "ethics", 0.0, blind=("random",))], "not testable here"),
        (0, [one("q4_0", "ethics", 0.0, blind=("random",), changed=2.0)], "supported"),
        (0, [one("q8_0", "ethics", 0.0)], "not testable here"),
        (1, [one("half", "ethics", -20.0), one("half", "privacy", -20.0)], "supported"),
        (1, [one("half", "ethics", 0.0), one("half", "privacy", 0.0)], "not supported"),
        (1, [one("half", "ethics", -20.0), one("half", "privacy", 0.0)], "not testable here"),
        (2, [one("q3", "benign", 0.0), one("q3", "ethics", -20.0)], "supported"),
        (2, [one("q3", "benign", -20.0), one("q3", "ethics", -20.0)], "not supported"),
        (2, [one("q3", "benign", 0.0), one("q3", "ethics", 0.0)], "not supported"),
        (2, [one("q3", "benign", -9.0, 10.0), one("q3", "ethics", -20.0)], "not testable here"),
        (3, [one("q8_0", "ethics", 9.0)], "supported"),
        (3, [one("q8_0", "fairness", 0.0)], "not supported"),
        (3, [one("q8_0", "fairness", 9.0, blind=("random",))], "not testable here"),
        (3, [one("q8_0", "fairness", 4.0, 9.0)], "not testable here"),
    ],
)
def test_claims_are_judged_by_the_differences(place: int, some: list[Judged], verdict: str) -> None:
    assert verdicts(some)[place].verdict == verdict


def test_nothing_moved_is_kept_only_where_a_loss_would_have_been_seen() -> None:
    assert one("q4_0", "ethics", 0.0, 0.0).verdict == KEEPS
    assert one("q4_0", "ethics", 0.0, 0.0, detectable=20.0).verdict == UNCLEAR
    assert one("q4_0", "ethics", 9.0).verdict == GAINS
