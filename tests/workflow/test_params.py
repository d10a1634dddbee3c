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
            ["infer.formats.bbq.0", "essay", "letter, option_text, open"],
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
        ({"layer_probes": {"suites": ["forced_choice", "winobias"]}}, ["layer_probes.suites", "winobias", "stereoset"]),
        ({"study": {"suites": ["bbq"]}}, ["layer_probes.suites", "stereoset", "allowed values: bbq"]),
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
