from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from unrendered import unrendered

from edgebias.cli import command
from edgebias.core.errors import run_stage
from edgebias.report.numbers import interval, number
from edgebias.report.page import cell_markup
from edgebias.report.pages import decomposition_figure, findings_of, study_page

pytestmark = pytest.mark.slow


def main(arguments: list[str]) -> None:
    """Write the numbers and the page of the study whose arguments ``study_writer`` gives."""
    *common, _, metrics, _, page = arguments
    command("report")([*common, "--metrics", metrics])
    command("page")([*common, "--page", page])


WITHIN_A_TEXT = {"wbr", "span"}
"""Tags that say where a text may break, and part no text from the next."""
LOADING = {"src", "srcset", "data", "poster", "action", "background", "xlink:href"}


@dataclass
class Page(HTMLParser):
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    parted: bool = True

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.parted |= tag not in WITHIN_A_TEXT

    def handle_endtag(self, tag: str) -> None:
        self.parted |= tag not in WITHIN_A_TEXT

    def handle_data(self, data: str) -> None:
        if self.parted:
            self.text.append(data)
        else:
            self.text[-1] += data
        self.parted = False


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, study_writer: Callable[[Path], list[str]]) -> Path:
    root = tmp_path_factory.mktemp("study")
    main(study_writer(root))
    return root


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory, study_writer: Callable[[Path], list[str]]) -> Path:
    """The study with one more method, a measured cost, scores without intervals and answers cut while thinking.

    Writing a page takes seconds, and each of these changes another part of it.
    """
    root = tmp_path_factory.mktemp("altered")
    arguments = study_writer(root)
    settings = json.loads(arguments[1])
    settings["study"]["methods"].insert(1, "always_refuse")
    folder = root / "mitigation/edge/tiny/wanda50_q8_0"
    shutil.copytree(folder / "instruction", folder / "always_refuse")
    scores = pd.read_csv(folder / "instruction/scores.csv").assign(estimate=None, low=None, high=None)
    scores.to_csv(folder / "always_refuse/scores.csv", index=False)
    cost = {"backend_seconds": 152.3, "peak_memory_mb": 851.2, "gate_opened": {"bbq": 0.122}, "threads": 1}
    (folder / "feedback_loop/cost.json").write_text(json.dumps(cost))
    for path in (root / "scores/edge/tiny/q8_0/winobias.csv", root / "compare/contrasts.csv"):
        rows = pd.read_csv(path)
        chosen = (rows["suite"] == "winobias") & (rows["metric"] == "accuracy_gap") & (rows["format"] == "likelihood")
        rows.loc[chosen & (rows.get("cell_a", "edge/tiny/q8_0") == "edge/tiny/q8_0"), ["low", "high"]] = float("nan")
        rows.to_csv(path, index=False)
    path = next((root / "responses").glob("edge/*/*/winobias.parquet"))
    answers = pd.read_parquet(path)
    letters = answers.index[answers["format"] == "letter"][:5]
    answers.loc[letters, "text"] = ["<think>\nOkay, let me", "<think>A", "[THINK]A", "<think>A</think>B", "B"]
    answers.to_parquet(path)
    main(["--settings", json.dumps(settings), *arguments[2:]])
    return root


@pytest.fixture(scope="module")
def narrowed(tmp_path_factory: pytest.TempPathFactory, study_writer: Callable[[Path], list[str]]) -> Path:
    """The study without layer probes, with its excess taken apart and a vector fitted to all of its suites."""
    root = tmp_path_factory.mktemp("narrowed")
    arguments = study_writer(root)
    settings = json.loads(arguments[1])
    settings["study"]["layer_probes"] = []
    settings["study"]["decomposition"] = ["desktop"]
    key = {"edge_cell": "edge/tiny/wanda50_q8_0", "reference_cell": "desktop/tiny/full", "suite": "forced_choice"}
    key |= {"format": "likelihood", "metric": "stereotype_rate", "unit": "points"}
    counts = {"order_low": 1.0, "order_high": 2.0, "n_orders": 2, "n_items": 24, "n_clusters": 24, "coverage": 1.0}
    parts = {"reference": 50.0, "edge": 56.0, "excess": 6.0, "build": 5.5, "environment": 0.5}
    rows = [
        {**key, "component": name, "estimate": value, "low": value - 1, "high": value + 1, **counts, "reason": ""}
        for name, value in parts.items()
    ]
    pd.DataFrame(rows).to_csv(root / "compare/decomposition.csv", index=False)
    settings["mitigate"]["learning"]["suites"] = ["stereoset", "forced_choice"]
    with unrendered():
        main(["--settings", json.dumps(settings), *arguments[2:]])
    return root


@pytest.fixture(scope="module")
def page(written: Path) -> Page:
    parsed = Page()
    parsed.feed((written / "report/index.html").read_text(encoding="utf-8"))
    return parsed


def test_hostile_model_text_is_shown_and_never_run(written: Path, page: Page) -> None:
    assert not [tag for tag, _ in page.tags if tag == "script"]
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert any("<script>alert('owned')</script>" in text for text in page.text)
    assert any("{{ 7 * 7 }}" in text for text in page.text)
    assert "<script" not in (written / "report/index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("accuracy_disambiguated (ideal 100)", 'accuracy_<wbr>disambiguated <span class="whole">(ideal 100)</span>'),
        ("edge wanda50_q8_0", "edge wanda50_q8_0"),
        ("3.85 [−15.4, 1,384]", '3.85 <span class="whole">[−15.4, 1,384]</span>'),
        ("<b>x_name</b> [a, b]", "&lt;b&gt;x_<wbr>name&lt;/b&gt; [a, b]"),
        ("</span>_<script>alert(1)</script>", "&lt;/span&gt;_&lt;script&gt;alert(1)&lt;/script&gt;"),
    ],
)
def test_a_cell_breaks_at_the_seams_of_names_and_escapes_everything(text: str, markup: str) -> None:
    assert cell_markup(text) == markup


def test_cost_of_each_method_is_one_row_with_the_gate_and_a_remark_on_the_times(altered: Path) -> None:
    text = (altered / "report/index.html").read_text(encoding="utf-8")
    row = '<th scope="row">Feedback loop</th><td class="number">152</td><td class="number">851</td>'
    row += "<td>BBQ 12.2\N{NO-BREAK SPACE}%</td>"
    overview, every = text.split("Every cost of each method", 1)
    assert row in overview
    assert "benchmarks/control_vector_cost.py" in overview
    assert '<th scope="row">Threads</th><td class="number">–</td>' in every
    assert '<td class="number">1</td></tr>' in every


def test_page_loads_nothing_from_elsewhere(written: Path, page: Page) -> None:
    for tag, attributes in page.tags:
        for name in LOADING & set(attributes):
            assert (attributes[name] or "").startswith("data:"), (tag, name)
        if tag == "link":
            assert (attributes["href"] or "").startswith("data:")
    style = (written / "report/index.html").read_text(encoding="utf-8").split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_contents_links_lead_somewhere(page: Page) -> None:
    anchors = {attributes.get("id") for _, attributes in page.tags}
    links = [a["href"] for tag, a in page.tags if tag == "a"]
    assert len(links) > 10
    assert all(link and link.startswith("#") and link[1:] in anchors for link in links)


def test_figures_are_numbered_in_the_order_of_the_page(written: Path) -> None:
    text = (written / "report/index.html").read_text(encoding="utf-8")
    numbers = [int(found) for found in re.findall(r"Figure (\d+)\. ", text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 9


def test_all_ten_figures_have_alt_text(page: Page, written: Path) -> None:
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == 10
    assert all(len(image["alt"] or "") > 20 for image in images)
    assert len(list((written / "report/figures").glob("*.svg"))) == 10


def test_changed_answers_that_a_score_does_not_show_are_said_in_words(page: Page) -> None:
    """The invented builds change an eighth of their answers, as many towards the stereotype as away from it."""
    text = "".join(page.text)
    assert "changed answers that the score does not show." in text
    assert "equal score" not in text
    assert "12.5 % [8.00, 18] of the answers changed. 6.25 % went towards the stereotype, 6.25 % away from it." in text


def test_layer_probes_are_drawn_and_tabled_as_they_were_measured(written: Path, narrowed: Path) -> None:
    measured = pd.read_csv(written / "mitigation/edge/tiny/full/layer_probes.csv").set_index(["target", "layer"])
    shown = pd.read_csv(written / "report/plots/layer_probes.csv")
    assert sorted(shown["variant"].unique()) == ["full", "wanda50_q8_0"]
    shown = shown[shown["variant"] == "full"].set_index(["target", "layer"])
    columns = ["accuracy", "low", "high"]
    pd.testing.assert_frame_equal(shown[columns].sort_index(), measured[columns].sort_index(), atol=1e-6)
    assert not (narrowed / "report/figures/layer_probes.svg").exists()
    assert not (narrowed / "report/plots/layer_probes.csv").exists()


def test_a_method_without_a_point_is_in_the_table_and_not_in_the_legend(altered: Path) -> None:
    figure = (altered / "report/figures/mitigation.svg").read_text()
    assert "<!-- feedback loop -->" in figure  # text is drawn as paths, and a comment says which
    assert "<!-- always refuse -->" not in figure
    assert '<th scope="row">Always refuse</th>' in (altered / "report/index.html").read_text(encoding="utf-8")


def test_transfer_has_the_suites_that_steering_was_not_fitted_to(written: Path, narrowed: Path) -> None:
    table = _table(written / "report/index.html", "Transfer: ")
    assert "fitted to: StereoSet" in table
    assert '<th scope="row">Feedback loop</th><td>Forced choice stereotype rate</td>' in table
    assert table.count('<th scope="row">') == 1, "an instruction has no vector that could carry over"
    assert "Transfer: " not in (narrowed / "report/index.html").read_text(encoding="utf-8")


def test_the_excess_is_taken_apart_where_the_study_asks_for_it(written: Path, narrowed: Path) -> None:
    """On the page, in its answer, and on the page of the results that is written from the findings."""
    plain = (written / "report/index.html").read_text(encoding="utf-8")
    assert "This study does not take the excess of the edge apart." in plain
    taken = (narrowed / "report/index.html").read_text(encoding="utf-8")
    assert "+5.50 points [4.50, 6.50] for the build" in taken
    assert '<figure id="figure-decomposition">' in taken
    assert "+0.500" in _table(narrowed / "report/index.html", "The excess in points")
    found = [findings_of(json.loads((root / "report/metrics.json").read_text()), root) for root in (written, narrowed)]
    assert ["## The excess taken apart" in study_page(findings, [], "tiny") for findings in found] == [False, True]
    assert [decomposition_figure(findings) is not None for findings in found] == [False, True]


def _table(page: Path, caption: str) -> str:
    """The one table of ``page`` whose caption begins with ``caption``."""
    (table,) = [part for part in page.read_text(encoding="utf-8").split("<table")[1:] if f"<span>{caption}" in part]
    return table.split("</table>")[0]


def test_a_score_without_an_interval_is_a_grey_cross(written: Path, altered: Path) -> None:
    for name in ("scores", "contrasts"):
        before, after = ((root / f"report/figures/{name}.svg").read_text() for root in (written, altered))
        assert "#999999" not in before
        assert "#999999" in after


def test_outcomes_that_cover_nothing_are_visible(page: Page) -> None:
    text = " ".join(page.text)
    for outcome in ("refusal", "unparsed", "blank"):
        assert f"Read as: {outcome}" in text


def test_answers_cut_while_thinking_have_a_count_of_their_own(page: Page, altered: Path) -> None:
    """No study that has none shows a column of zeros; the counts of the outcomes stay as they are."""
    assert "cut while thinking" not in page.text
    markup = (altered / "report/index.html").read_text(encoding="utf-8")
    assert "Of the answers that could not be read, 3 were cut while the model was thinking" in markup
    assert '<th scope="col" class="number">cut while thinking</th>' in _table(
        altered / "report/index.html", "Outcomes: WinoBias"
    )


def test_bounds_stand_beside_every_score_and_are_remarked_where_answers_are_missing(written: Path, page: Page) -> None:
    cells = [" ".join(text.split()) for text in page.text]
    scores = pd.concat(pd.read_csv(path) for path in sorted((written / "scores").glob("*/*/*/[!o]*.csv")))
    overall = scores[scores["category"] == "all"]
    remarks = [cell for cell in cells if "; if all had answered [" in cell]
    assert len(remarks) == int((overall["coverage"] < 1).sum()) > 0
    one = overall[overall["coverage"] < 1].iloc[0]
    shown = f"{number(one['estimate'])} {interval(one['low'], one['high'])}"
    assert f"{shown}; if all had answered {interval(one['bound_low'], one['bound_high'])}" in remarks
    assert "If all had answered" in cells  # the column of the tables with every score
    assert interval(one["bound_low"], one["bound_high"]) in cells


def test_page_says_what_really_ran(page: Page) -> None:
    text = " ".join(" ".join(page.text).split())
    assert "no cloud service was used" in text
    assert "not on a Raspberry Pi" in text
    assert "a chat endpoint returns no log-probabilities" in text


def test_comparisons_name_their_family_its_size_and_what_could_be_seen(page: Page) -> None:
    text = " ".join(" ".join(page.text).split())
    assert "Family (comparisons)" in text
    assert "environment (11)" in text
    assert "feedback_loop, overall (5)" in text
    assert text.count("includes the ideal 50") == 2  # the category without headroom, once for each method
    assert "A row without headroom is no evidence of mitigation" in text


def test_same_inputs_give_the_same_bytes(
    written: Path, tmp_path: Path, study_writer: Callable[[Path], list[str]]
) -> None:
    arguments = study_writer(written)
    again = [part.replace(f"{written}/report", f"{tmp_path}/report") for part in arguments]
    main(again)
    files = sorted(path.relative_to(written / "report") for path in (written / "report").rglob("*") if path.is_file())
    assert len(files) > 8
    for name in files:
        assert (written / "report" / name).read_bytes() == (tmp_path / "report" / name).read_bytes(), name


def test_metrics_hold_the_numbers_of_the_tables(written: Path) -> None:
    metrics = json.loads((written / "report/metrics.json").read_text())
    scores = pd.read_csv(written / "scores/desktop/tiny/full/stereoset.csv")
    expected = scores[(scores["metric"] == "ss") & (scores["category"] == "all")]["estimate"].iloc[0]
    assert metrics["bias"]["stereoset.ss"]["desktop/full"] == pytest.approx(expected, abs=1e-3)
    loop = metrics["mitigation"]["feedback_loop"]
    assert loop["verdict"] == "reduced"
    assert loop["relative_reduction_percent"] == pytest.approx(100 * (1 - 1.2 / 7.9), abs=0.01)
    assert metrics["paper_readings"]["paper_models_ran"] is False


@pytest.mark.parametrize(
    "absent",
    [
        "contrasts.csv",
        "flips.csv",
        "paper.csv",
        "roofline/projection.csv",
        "scores/edge/tiny/full/bbq.csv",
        "scores/cloud/tiny/full/bbq.csv",
        "models/tiny/q4_0.json",
        "parity/tiny.json",
        "mitigation/edge/tiny/wanda50_q8_0/feedback_loop/trajectory.csv",
        "mitigation/edge/tiny/full/layer_probes.csv",
    ],
)
def test_absent_file_is_one_plain_line(
    absent: str, tmp_path: Path, study_writer: Callable[[Path], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = study_writer(tmp_path)
    (found,) = [path for path in tmp_path.rglob(Path(absent).name) if path.as_posix().endswith(absent)]
    found.unlink()
    with pytest.raises(SystemExit) as stopped:
        run_stage(main, arguments)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert absent in message
    assert not (tmp_path / "report/index.html").exists()


def test_costs_and_provenance_that_were_not_recorded_here_are_said_to_be_absent(
    written: Path, tmp_path: Path, study_writer: Callable[[Path], list[str]]
) -> None:
    arguments = study_writer(tmp_path)
    shutil.rmtree(tmp_path / "cost")
    for path in (*(tmp_path / "mitigation").rglob("cost.json"), tmp_path / "provenance.json"):
        path.unlink()
    with unrendered():
        main(arguments)
    text = (tmp_path / "report/index.html").read_text(encoding="utf-8")
    assert "Not measured here." in text
    assert "Not recorded here" in text
    assert "Speed of each cell" not in text
    metrics = [(root / "report/metrics.json").read_bytes() for root in (written, tmp_path)]
    assert metrics[0] == metrics[1], "a number that dvc pull restores does not depend on what it leaves out"


def test_a_study_without_mitigation_and_projected_builds_has_a_page(
    tmp_path: Path, study_writer: Callable[[Path], list[str]]
) -> None:
    arguments = study_writer(tmp_path)
    place = arguments.index("--settings") + 1
    settings = json.loads(arguments[place])
    settings["study"] |= {"methods": [], "layer_probes": []}
    arguments[place] = json.dumps(settings)
    projection = tmp_path / "roofline/projection.csv"
    pd.read_csv(projection).head(0).to_csv(projection, index=False)
    with unrendered():
        main(arguments)
    findings = json.loads((tmp_path / "report/metrics.json").read_text(encoding="utf-8"))["findings"]
    assert findings["scores"]
    assert findings["methods"] == findings["reductions"] == []


def test_unknown_outcome_is_refused(
    tmp_path: Path, study_writer: Callable[[Path], list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = study_writer(tmp_path)
    path = tmp_path / "responses/edge/tiny/full/bbq.parquet"
    pd.read_parquet(path).assign(outcome="neutral").to_parquet(path)
    with pytest.raises(SystemExit):
        run_stage(main, arguments)
    assert "neutral" in capsys.readouterr().err
