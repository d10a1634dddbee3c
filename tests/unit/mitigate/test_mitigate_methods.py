"""The registry of methods, and how a study chooses among them: labels, settings, what each needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from edgebias.core.errors import InputError
from edgebias.mitigate.base import OWN, SHARED, SHIPPED, Artefacts, Steering
from edgebias.mitigate.registry import METHODS, check_files, choose, choose_all, frontier_gains

ROOT = Path(__file__).resolve().parents[3]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "config").glob("*.yaml"))]
LABELS = {
    "params": ["none", "instruction", "reprompting", "open_loop", "feedback_loop", "gated_feedback_loop"],
    "mitigation": [
        *("none", "instruction", "self_debiasing", "answer_prior", "reprompting", "always_unknown", "always_refuse"),
        *("single_layer", "conditional_steering", "open_loop", "open_loop_at_1.5", "open_loop_at_2"),
        *("open_loop_at_3", "equal_layers_open_loop_at_2", "gated_open_loop_at_2", "open_loop_from_full"),
        *("feedback_loop", "gated_feedback_loop"),
    ],
    "wins_back": ["none", "open_loop_at_1.5", "open_loop_from_full_at_1.5"],
    "mitigation_bbq": ["none", "always_unknown", "open_loop", "feedback_loop", "gated_feedback_loop"],
    "mitigation_repeat": ["none", "open_loop_at_2", "feedback_loop", "gated_feedback_loop"],
    "smoke": [
        *("none", "instruction", "self_debiasing", "answer_prior", "reprompting", "always_unknown"),
        *("conditional_steering", "open_loop", "feedback_loop", "gated_feedback_loop"),
    ],
}
"""What the rows and folders of published results are called."""


def entries_of(file: Path) -> list[object]:
    methods = yaml.safe_load(file.read_text(encoding="utf-8"))["study"].get("methods", [])
    assert isinstance(methods, list)
    return methods


def test_every_file_of_the_folder_is_a_method_under_its_own_name() -> None:
    files = {path.stem for path in (ROOT / "src/edgebias/mitigate/methods").glob("*.py")} - {"__init__"}
    assert set(METHODS.names()) == files
    for name, method in METHODS.items():
        assert method.name == name
        assert method.label(method.read({}, "test", ())) == name
        assert method.__doc__
    assert sorted(files) == sorted(
        [
            *("none", "instruction", "self_debiasing", "answer_prior", "reprompting", "always_unknown"),
            *("always_refuse", "single_layer", "conditional_steering", "open_loop", "feedback_loop"),
        ]
    )


EACH_METHOD = """
import importlib, os, sys
import numpy, pydantic  # before the forks: what every method takes a while to import
from edgebias.mitigate.registry import METHODS
for name in sys.argv[1:]:
    if not os.fork():
        try:
            importlib.import_module(METHODS.module(name))
            print(name, *(module for module in sys.modules if "mitigate.methods." in module), flush=True)
        finally:
            os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, list[str]]:
    """What each method imports of all methods, told by a fork of a process that has imported none."""
    command = [sys.executable, "-c", EACH_METHOD, *METHODS.names()]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}


@pytest.mark.parametrize("name", METHODS.names())
def test_a_method_imports_no_other(name: str, imported: dict[str, list[str]]) -> None:
    assert imported[name] == [METHODS.module(name)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_entries_have_the_labels_of_their_rows_and_come_back_from_them(file: Path) -> None:
    entries = entries_of(file)
    chosen = choose_all(entries)
    assert list(chosen) == LABELS.get(file.stem, [])
    assert [found.entry for found in chosen.values()] == entries
    assert all(choose(found.entry) == found for found in chosen.values())


def test_methods_that_steer_say_how_and_with_which_files() -> None:
    plain = {name: choose(name).steering for name in METHODS.names()}
    assert {name: steering for name, steering in plain.items() if steering is not None} == {
        "open_loop": Steering(),
        "feedback_loop": Steering(vector=OWN),
        "single_layer": Steering(vector="single_layer"),
        "conditional_steering": Steering(vector=OWN, gate=OWN),
    }
    loop = {"method": "feedback_loop", "gated": True}
    assert choose(loop).steering == Steering(vector=OWN, gate=SHARED)
    point = {"method": "open_loop", "gain": 0.5, "gated": True, "equal_layers": True, "build": "full"}
    assert choose(point).steering == Steering(SHIPPED, "full", SHARED, 0.5, equal_layers=True)


def test_points_of_the_frontier_are_the_open_loops_that_only_their_gain_sets_apart() -> None:
    chosen = choose_all([{"method": "open_loop", "gain": 3}, *entries_of(ROOT / "config" / "mitigation_repeat.yaml")])
    others = [{"method": "open_loop", "gain": 4, key: value} for key, value in (("gated", True), ("build", "full"))]
    assert frontier_gains(chosen | choose_all(others)) == {"open_loop_at_2": 2.0, "open_loop_at_3": 3.0}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "open_loop_at_2",
            r"^a\.yaml: study\.methods\.0 is 'open_loop_at_2'; did you mean 'open_loop'\? allowed values: ",
        ),
        ({"method": "open_loop", "gian": 2}, "unknown key 'gian' at .*did you mean 'gain'. allowed keys: build, "),
        ({"method": "none", "gain": 2}, "unknown key 'gain' at study.methods.0; allowed keys: $"),
        ({"method": "open_loop", "gain": "two"}, r"study\.methods\.0\.gain is 'two'; a number above 0 is needed$"),
        ({"method": "open_loop", "gain": True}, "gain is True; a number above 0 is needed$"),
        ({"method": "open_loop", "gain": 0}, "gain is 0; a number above 0 is needed$"),
        ({"method": "open_loop", "gated": "yes"}, "gated is 'yes'; true or false is needed$"),
        ({"method": "reprompting", "request": "Think again."}, r"cannot name a folder; set this under mitigate\."),
        ({"gain": 2}, "write a method's name, or {method: open_loop, gain: 2}$"),
        (3, "study.methods.0 is 3; write a method's name"),
    ],
)
def test_a_bad_entry_is_refused_in_one_line_with_the_way_out(entry: object, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        choose_all([entry], "a.yaml")
    assert "\n" not in str(caught.value)


def test_two_rows_of_one_label_are_refused() -> None:
    with pytest.raises(InputError, match=r"study\.methods\.1 is open_loop once more; leave one out"):
        choose_all(["open_loop", {"method": "open_loop", "gain": 1.0}])


def test_settings_of_an_entry_stand_before_those_of_the_section_and_those_before_defaults() -> None:
    section = {"mitigate.self_debiasing": {"decay": 5, "prefix": "Unkind:"}}
    chosen = choose({"method": "self_debiasing", "decay": 10})
    assert chosen.label == "self_debiasing_decay_10"
    assert chosen.settings(section).model_dump() == {"prefix": "Unkind:", "decay": 10.0, "floor": 0.01}
    assert choose("self_debiasing").settings(section).model_dump()["decay"] == 5.0
    with pytest.raises(InputError, match="self_debiasing' is missing"):
        chosen.settings({})


def test_the_files_of_a_method_must_be_those_that_it_needs(tmp_path: Path) -> None:
    gated = choose({"method": "open_loop", "gated": True})
    check_files(gated, tmp_path, tmp_path)
    check_files(choose("none"), None, None)
    with pytest.raises(InputError, match="--gate: gated_open_loop needs such file; give it"):
        check_files(gated, tmp_path, None)
    with pytest.raises(InputError, match="--control-vector: none takes no such file; leave it out"):
        check_files(choose("none"), tmp_path, None)
    assert Artefacts(tmp_path).gate is None
