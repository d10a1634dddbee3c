"""The registry of suites: every suite is whole, and a suite of one's own goes from its files to its scores."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import edgebias.suites
from edgebias import config
from edgebias.core import registry
from edgebias.core.errors import InputError
from edgebias.metrics import metric as metrics
from edgebias.score.table import join, score_table
from edgebias.suites.base import Suite
from edgebias.suites.building import build_items
from edgebias.suites.formats import FORMATS
from edgebias.suites.item import items_from_table, to_table
from edgebias.suites.registry import SUITES, suites

ROOT = Path(__file__).parents[3]
PLUGIN = ROOT / "tests" / "plugins" / "boss_suite.py"
PAGES = ROOT / "docs" / "how-to"
WITHOUT_ITEMS = {"honest", "over_time"}


@pytest.fixture
def boss(monkeypatch: pytest.MonkeyPatch) -> Suite:
    monkeypatch.setattr(registry, "_plugins", {})
    monkeypatch.syspath_prepend(str(PLUGIN.parent))
    registry.load_plugins(["boss_suite"])
    return SUITES.get("boss")


@pytest.mark.parametrize("suite", suites(), ids=lambda suite: suite.name)
def test_every_suite_is_whole(suite: Suite) -> None:
    folder = ROOT / "src" / "edgebias" / "suites" / suite.name
    assert {f"{name}.py" for name in ("suite", "items", "metrics", suite.name)} <= {
        path.name for path in folder.iterdir()
    }
    assert suite.title
    assert suite.family.suite == suite.name
    assert suite.formats
    assert set(suite.formats) <= set(FORMATS)
    assert {form for form, _ in suite.primary} == set(suite.formats)
    first_of_each_format = dict(reversed(suite.primary))
    assert {form: suite.main_metric(form).name for form in suite.formats} == first_of_each_format
    named = [*suite.contrasted, *suite.panels, *suite.utility, *(metric for _, metric in suite.primary)]
    for metric in (*named, *filter(None, [suite.bias])):
        assert suite.family.metric(metric).name == metric
    assert set(suite.default_conditions or ()) <= set(suite.conditions)
    assert bool(suite.files) != bool(suite.own_files)
    assert not suite.drives_loop or suite.bias


def test_a_suite_of_ones_own_has_a_metric_that_stands_for_it_in_each_format(boss: Suite) -> None:
    assert boss.main_metric("letter").name == "man_is_boss"
    with pytest.raises(InputError, match="suite 'boss': it cannot be asked as 'open'"):
        boss.main_metric("open")


@pytest.mark.slow
def test_names_titles_and_files_are_unique_and_every_folder_is_found() -> None:
    for values in (
        [suite.name for suite in suites()],
        [suite.title for suite in suites()],
        [file.path for file in {file for suite in suites() for file in suite.files}],
    ):
        assert len(values) == len(set(values))
    folders = {path.parent.name for path in (ROOT / "src" / "edgebias" / "suites").glob("*/metrics.py")}
    assert folders == {*SUITES.names(), *WITHOUT_ITEMS}
    assert all(edgebias.suites.load(name).info.features for name in WITHOUT_ITEMS)


EACH_SUITE = """
import os, sys
import numpy, pandas  # before the forks: what every suite takes a while to import
from edgebias.suites.registry import SUITES
for name in sys.argv[1:]:
    if not os.fork():
        try:
            SUITES.get(name).family, SUITES.get(name)._part(SUITES.get(name).items, "load")
            print(name, *{m.split(".")[2] for m in sys.modules if m.startswith("edgebias.suites.")}, flush=True)
        finally:
            os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """What each suite imports of the package's suites, told by a fork of a process that has imported none."""
    command = [sys.executable, "-c", EACH_SUITE, *SUITES.names()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.split()[0]: set(line.split()[1:]) for line in done.stdout.splitlines()}


@pytest.mark.slow
@pytest.mark.parametrize("name", SUITES.names())
def test_one_suite_imports_no_other(name: str, imported: dict[str, set[str]]) -> None:
    assert imported[name] & set(SUITES.names()) == {name}


def test_a_suite_of_ones_own_goes_from_its_files_to_its_scores(boss: Suite, tmp_path: Path) -> None:
    (tmp_path / "jobs.txt").write_text("nurse\nplumber\njudge\ncook\n", encoding="utf-8")
    section = {"clusters_per_category": 0, "items_per_cluster": 0}
    items = to_table(
        build_items("boss", tmp_path, {"seed": 1, "prompts.calibration_share": 0.5, "prompts.boss": section})
    )
    assert len(items) == 8
    assert items.groupby("cluster")["split"].nunique().max() == 1
    answers = pd.DataFrame(
        {
            "item_id": items["item_id"],
            "format": "letter",
            "permutation": [list(order) for order in items["permutation"]],
            "template": "t",
            "round": 0,
            "option_logprobs": [[] for _ in range(8)],
            "n_tokens": [[] for _ in range(8)],
            "choice": [
                item.roles.index("stereotype" if item.cluster != "nurse" else "anti_stereotype")
                for item in items_from_table(items, "items", "boss")
            ],
            "outcome": ["stereotype" if cluster != "nurse" else "anti_stereotype" for cluster in items["cluster"]],
        }
    )
    joined = join(items, answers, suite="boss", items_name="items", responses_name="responses")
    scores = score_table(joined, suite="boss", seed=1, resamples=200, confidence=0.95)
    overall = scores[scores["category"] == "all"].iloc[0]
    assert (overall["metric"], overall["estimate"], overall["n_clusters"]) == ("man_is_boss", 75.0, 4)
    assert overall["low"] < 75.0 < overall["high"]
    by_module = edgebias.suites.load("boss").compute(
        **{name: items[name].tolist() for name in ("category", "cluster", "condition")},
        roles=[list(roles) for roles in items["roles"]],
        outcome=answers["outcome"].tolist(),
    )
    assert by_module["man_is_boss"] == 75.0


def test_a_suite_without_its_loader_is_named(boss: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules["boss_suite"], "load")
    with pytest.raises(InputError, match=r"suite 'boss': module boss_suite has no 'load'"):
        boss.load(Path())


def test_without_the_plugin_its_suite_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_plugins", {})
    with pytest.raises(InputError, match="suite 'boss' is unknown"):
        SUITES.get("boss")


def test_the_page_shows_the_plugin_that_is_tested() -> None:
    assert PLUGIN.read_text(encoding="utf-8") in (PAGES / "add-a-suite.md").read_text(encoding="utf-8")


def test_the_page_about_evaluate_runs_and_lists_the_columns() -> None:
    page = (PAGES / "evaluate.md").read_text(encoding="utf-8")
    code = page.partition("```python\n")[2].partition("```")[0]
    found: dict[str, object] = {}
    exec(code, found)
    assert json.loads(json.dumps(found["scores"]))["accuracy_disambiguated"] == 100.0
    rows = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| ")][1:]
    listed = {
        name.strip(): tuple(tuple(filter(None, (part.strip() for part in cell.split(",")))) for cell in row[1:])
        for row in rows
        for name in row[0].split(",")
    }
    assert listed == {suite.name: (suite.family.columns, suite.family.optional) for suite in suites()}


def test_every_score_that_the_page_lists_can_be_made() -> None:
    page = (PAGES / "add-a-suite.md").read_text(encoding="utf-8")
    entries = re.findall(r"^\| `(\w+\(.*?\))` \|", page, re.MULTILINE)
    assert len(entries) == 4
    for entry in entries:
        assert isinstance(eval(entry, vars(metrics)), metrics.Metric)


@pytest.mark.usefixtures("boss")
def test_the_parameters_that_the_page_shows_make_a_study(tmp_path: Path) -> None:
    page = (PAGES / "add-a-suite.md").read_text(encoding="utf-8")
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(page.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    study = config.load(ROOT / "params.yaml", overlay)
    assert study["study"]["suites"] == ["boss"]
    overlay.write_text(overlay.read_text(encoding="utf-8").replace("letter]", "open]"), encoding="utf-8")
    with pytest.raises(InputError, match=r"infer\.formats\.boss: it cannot be asked as 'open'; allowed values: lik"):
        config.load(ROOT / "params.yaml", overlay)
