from pathlib import Path

import pytest
import yaml

from edgebias import config as params
from edgebias.core.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
MODEL = "smollm2-135m-instruct"
OVERLAYS = sorted((ROOT / "config").glob("*.yaml"))


def default() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text())


def test_params_yaml_names_every_key_so_that_dvc_can_track_it() -> None:
    config = default()
    complete = params.check(config, "params.yaml")
    for section, values in config.items():
        if section not in {"environments", "models", "study"}:
            assert complete[section] == values, f"params.yaml lacks a default of section {section}"


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: path.stem)
def test_every_configuration_is_valid(overlay: Path) -> None:
    assert params.load(ROOT / "params.yaml", overlay)["study"]["title"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scroe": {}}, ["scroe", "the top level", "score"]),
        ({"score": {"resample": 10}}, ["resample", "score", "resamples"]),
        (
            {"infer": {"formats": {"bbq": ["essay"]}}},
            ["infer.formats.bbq.0", "essay", "letter, letter_balanced, option_text, open"],
        ),
        ({"study": {"suites": ["bqq"]}}, ["study.suites.0", "bqq", "stereoset"]),
        ({"environments": {"edge": {"backend": "moon"}}}, ["environments.edge.backend", "moon", "llama"]),
        ({"environments": {"edge": {"memory_mb": 1}}}, ["environments.edge.memory_mb", "64"]),
        ({"variants": {"q8_0": {"from": "ful"}}}, ["variants.q8_0.from", "ful", "full"]),
        ({"study": {"edge_build": {"environment": "edge", "model": "m", "variant": "full"}}}, ["study.edge_build"]),
        (
            {"study": {"layer_probes": [{"environment": "desktop", "model": MODEL, "variant": "full"}]}},
            ["study.layer_probes[0]", "'desktop'", "whose backend is llama"],
        ),
        (
            {"study": {"layer_probes": [{"environment": "edge", "model": MODEL, "variant": "half"}]}},
            ["study.layer_probes[0]", "half", "study.cells"],
        ),
        (
            {"study": {"wins_back": [{"environment": "desktop", "model": MODEL, "variant": "full"}]}},
            ["study.wins_back[0]", "'desktop'", "whose backend is llama"],
        ),
        (
            {"study": {"wins_back": [{"environment": "edge", "model": MODEL, "variant": "full"}]}},
            ["study.wins_back", "study.methods", "add none, open_loop and {method: open_loop, build: full}"],
        ),
        ({"damage": {"images": 3500}}, ["damage.levels.long_tail", "at 3 the most frequent digit", "lower it"]),
        ({"damage": {"sedes": 3}}, ["sedes", "did you mean 'seeds'"]),
        ({"layer_probes": {"suites": ["forced_choice", "winobias"]}}, ["layer_probes.suites", "winobias", "stereoset"]),
        (
            {"study": {"suites": ["bbq"], "rounds": []}},
            ["layer_probes.suites", "stereoset", "allowed values: bbq"],
        ),
        ({"study": {"suites": ["bbq", "stereoset"]}}, ["study.rounds", "forced_choice", "set study.rounds to []"]),
        (
            {"study": {"methods": ["none", {"method": "open_loop", "build": "half"}]}},
            ["study.methods.1.build", "'half'", "allowed values", "q8_0"],
        ),
        ({"study": {"methods": ["open_lop"]}}, ["study.methods.0 is 'open_lop'", "did you mean 'open_loop'"]),
        (
            {"study": {"methods": [{"method": "open_loop", "gian": 2}]}},
            ["'gian'", "did you mean 'gain'"],
        ),
        (
            {"study": {"methods": [{"method": "open_loop", "gain": "two"}]}},
            ["study.methods.0.gain", "a number above 0"],
        ),
        ({"study": {"methods": ["none", {"gain": 2}]}}, ["study.methods.1", "gain", "{method: open_loop, gain: 2}"]),
        ({"mitigate": {"directions": "umap"}}, ["mitigate.directions", "umap", "pca, probe"]),
        ({"benchmarks": {"sha256": "short"}}, ["benchmarks", "short"]),
    ],
)
def test_a_bad_value_names_itself_the_allowed_values_and_the_file(change: dict, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        params.check(params.merge(default(), change), "params.yaml")
    for word in ["params.yaml", *words]:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cell_with_an_unknown_environment_is_named() -> None:
    config = default()
    config["study"]["cells"][0]["environment"] = "fog"
    with pytest.raises(InputError, match="fog"):
        params.check(config, "params.yaml")


def test_a_variant_that_leads_back_to_itself_is_refused() -> None:
    config = params.merge(default(), {"variants": {"wanda50": {"from": "wanda50_q8_0"}}})
    with pytest.raises(InputError, match="leads back to itself"):
        params.check(config, "params.yaml")


NEW = {"environment": "edge", "model": MODEL, "variant": "new"}


def laid_over(tmp_path: Path, study: object) -> dict:
    """The study of ``params.yaml`` with an overlay of one new build."""
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(yaml.safe_dump({"study": study, "variants": {"new": {"from": "full", "quantise": "Q8_0"}}}))
    return params.load(ROOT / "params.yaml", overlay)["study"]


def test_an_overlay_of_one_cell_names_it_once(tmp_path: Path) -> None:
    """What the file below says of cells that are gone goes with them; the builds become the first cell."""
    study = laid_over(tmp_path, {"cells": [{"environment": "edge", "model": MODEL, "variants": ["new"]}]})
    assert [study[name] for name in ("edge_build", "desktop_build", "cloud_build")] == [NEW] * 3
    assert study["rounds"] == study["robustness"] == study["layer_probes"] == []


def test_an_overlay_of_cells_keeps_what_is_said_of_those_that_are_left(tmp_path: Path) -> None:
    study = laid_over(tmp_path, {"cells": [{"environment": "edge", "model": MODEL, "variants": ["new", "full"]}]})
    full = {**NEW, "variant": "full"}
    assert study["edge_build"] == NEW
    assert study["rounds"] == []
    assert study["robustness"] == study["layer_probes"] == [full]


def test_an_overlay_that_leaves_the_cells_keeps_everything(tmp_path: Path) -> None:
    mine = laid_over(tmp_path, {"title": "Mine"})
    assert {**mine, "title": ""} == {**params.load(ROOT / "params.yaml")["study"], "title": ""}


@pytest.mark.parametrize("name", ["edge_build", "desktop_build", "cloud_build", "rounds", "robustness", "layer_probes"])
def test_a_cell_that_an_overlay_names_itself_must_be_one_of_its_cells(tmp_path: Path, name: str) -> None:
    absent = {**NEW, "variant": "q4_0"}
    study = {"cells": [{"environment": "edge", "model": MODEL, "variants": ["new"]}]}
    with pytest.raises(InputError, match=f"study.{name}.*q4_0"):
        laid_over(tmp_path, {**study, name: absent if name.endswith("build") else [absent]})


@pytest.mark.parametrize(
    "cells",
    [
        None,
        3,
        "edge",
        [],
        [None],
        [{"environment": "edge"}],
        [{"environment": "edge", "model": MODEL, "variants": 3}],
        {"environment": "edge"},
    ],
)
def test_cells_of_another_shape_are_told_in_one_line(tmp_path: Path, cells: object) -> None:
    with pytest.raises(InputError, match=r"mine.yaml: .*study.cells") as caught:
        laid_over(tmp_path, {"cells": cells})
    assert "\n" not in str(caught.value)
