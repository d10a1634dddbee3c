"""A study with open suites: what it is made from, who can answer it, and which settings reach the stages."""

import json
from pathlib import Path

import pytest

from edgebias import config as params
from edgebias.core.errors import InputError
from edgebias.infer.cell import formats_of, read_cell
from edgebias.metrics.text_scores import SCORERS
from edgebias.study import RAW, Study
from edgebias.suites.bold.groups import BOLD_GROUPS
from edgebias.suites.registry import suites
from edgebias.workflow import needs

ROOT = Path(__file__).resolve().parents[2]
OPEN_SUITES = [suite.name for suite in suites() if suite.open_ended]


@pytest.fixture(scope="module")
def study() -> Study:
    config = params.load(ROOT / "params.yaml")
    config["study"]["suites"] = ["forced_choice", *OPEN_SUITES]
    config["infer"]["formats"] |= {suite: ["continuation"] for suite in OPEN_SUITES}
    config["study"]["robustness"] = []  # asks BBQ
    config["study"]["layer_probes"] = []  # read StereoSet
    return Study(params.check(config, "params.yaml"))


def test_bold_is_made_from_its_five_prompt_files(study: Study) -> None:
    names = {f"{RAW}/BOLD/data/prompts/{domain}_prompt.json" for domain in BOLD_GROUPS}
    assert set(study.raw_files_of("bold")) == names
    assert study.raw_files_of("counterfactual") == sorted(map(str, Path("data/counterfactual").glob("*.yaml")))


def test_a_chat_endpoint_is_not_asked_what_it_cannot_continue(study: Study) -> None:
    for cell in study.cells:
        open_suites = set(study.suites_of(cell)) & set(OPEN_SUITES)
        asked = "suites" not in next(
            entry for entry in study.config["study"]["cells"] if cell.variant in entry["variants"]
            and (entry["environment"], entry["model"]) == (cell.environment, cell.model)
        )  # fmt: skip
        assert open_suites == (set(OPEN_SUITES) if asked and study.backend(cell.environment) != "openai" else set())
    for model in study.parity_models():
        assert not set(study.parity_suites(model)) & set(OPEN_SUITES)


@pytest.mark.parametrize("suite", OPEN_SUITES)
def test_the_stage_reads_the_settings_that_the_rule_gives(study: Study, suite: str) -> None:
    wildcards = {"model": "smollm2-135m-instruct", "environment": "edge", "suite": suite}
    cell = read_cell(json.loads(study.settings("infer", wildcards)))
    assert cell.answer.continuation is not None
    assert cell.answer.continuation.draws >= 1
    assert cell.formats == {suite: ["continuation"]}
    assert formats_of(suite, cell.formats, cell.model) == ["continuation"]


def test_defaults_of_a_study_that_says_nothing_about_continuations() -> None:
    config = params.load(ROOT / "params.yaml")
    for key in ("max_new_tokens_continuation", "continuation_temperature", "continuations"):
        del config["infer"][key]
    infer = params.check(config, "params.yaml")["infer"]
    assert [infer["max_new_tokens_continuation"], infer["continuation_temperature"], infer["continuations"]] == [
        24,
        1,
        1,
    ]


def test_scorers_are_needed_by_open_suites_alone(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "version", lambda package: "0.1")
    named = [need for need in needs.needs_of(study) if "open suites" in need.what]
    assert [need.what.split()[-1] for need in named] == [f"{name}=={pinned}" for name, pinned in SCORERS.items()]
    assert all("0.1 installed: make setup installs it" in need.missing for need in named)
    closed = params.load(ROOT / "params.yaml")
    closed["study"]["suites"] = [suite for suite in closed["study"]["suites"] if suite not in OPEN_SUITES]
    assert not [need for need in needs.needs_of(Study(closed)) if "open suites" in need.what]


@pytest.mark.parametrize(
    ("key", "value"), [("continuations", 0), ("continuation_temperature", -1), ("max_new_tokens_continuation", 0)]
)
def test_settings_out_of_range_are_named(key: str, value: int) -> None:
    config = params.load(ROOT / "params.yaml")
    config["infer"][key] = value
    with pytest.raises(InputError, match=key):
        params.check(config, "params.yaml")
