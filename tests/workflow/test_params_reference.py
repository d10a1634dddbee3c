import copy
import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebias import config as params
from edgebias.core.errors import InputError
from edgebias.core.record import options
from edgebias.stages.params_schema import PAGE, SCHEMA
from edgebias.workflow.params_reference import Key, json_schema, keys, reference_page

ROOT = Path(__file__).resolve().parents[2]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "config").glob("*.yaml"))]
MODEL = "smollm2-135m-instruct"
NAMES = {"models": MODEL, "variants": "q8_0", "environments": "edge", "prompts": "bbq", "formats": "bbq"}
DEFAULT = yaml.safe_load((ROOT / "params.yaml").read_text())
KEYS = list(keys())


def default() -> dict:
    return copy.deepcopy(DEFAULT)


def with_value(path: str, value: object) -> dict:
    """The default parameters with ``value`` at a path of the reference page; what leads to it is made up."""
    config = default()
    node = config
    before = ""
    *parents, last = path.split(".")
    for part in parents:
        if part == "NAME":
            part = NAMES.get(before, "some")
        node = node[part[:-2]][0] if part.endswith("[]") else node.setdefault(part, {})
        before = part
    node[last] = value
    return config


def beyond(schema: dict) -> list[float]:
    """Values just outside the bounds of a number."""
    found = []
    if "minimum" in schema:
        found.append(schema["minimum"] - 1)
    if "maximum" in schema:
        found.append(schema["maximum"] + 1)
    return found + [schema[name] for name in ("exclusiveMinimum", "exclusiveMaximum") if name in schema]


BEYOND = [
    (key.path, value)
    for key in KEYS
    for option in options(key.schema, {})
    if option.get("type") in {"integer", "number"}
    for value in beyond(option)
]


def test_schema_and_reference_page_are_those_of_the_models() -> None:
    assert json.loads((ROOT / SCHEMA).read_text()) == json_schema(), "run edgebias params-schema"
    assert (ROOT / PAGE).read_text() == reference_page(), "run edgebias params-schema"


def test_the_page_explains_every_key_of_params_yaml() -> None:
    def leaves(value: object, path: str) -> list[str]:
        if isinstance(value, dict) and value:
            return [leaf for key, below in value.items() for leaf in leaves(below, f"{path}.{key}")]
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return [leaf for below in value for leaf in leaves(below, f"{path}[]")]
        return [path]

    known = {key.path for key in KEYS}
    named = {"models", "variants", "environments"}
    for section, value in default().items():
        for leaf in leaves(value, section):
            parts = leaf.split(".")
            if section in named or (section == "prompts" and len(parts) == 3):
                parts[1] = "NAME"
            elif parts[:2] == ["infer", "formats"]:
                parts[2] = "NAME"
            assert ".".join(parts) in known or leaf in {"variants.full", "study.plugins"}, leaf


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.path)
def test_every_key_has_prose_and_says_what_it_takes(key: Key) -> None:
    assert key.prose.endswith(".")
    assert key.takes != "any value"


@pytest.fixture(scope="module")
def editor() -> jsonschema.Draft202012Validator:
    """What an editor does with the schema, which is valid itself."""
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_the_schema_for_editors_takes_every_file(file: Path, editor: jsonschema.Draft202012Validator) -> None:
    editor.validate(yaml.safe_load(file.read_text()))
    assert f"$schema={'../' * (file.parent != ROOT)}{SCHEMA}" in file.read_text().splitlines()[0]


@pytest.mark.parametrize(("path", "value"), BEYOND)
def test_a_number_beyond_a_bound_is_refused_in_one_line(path: str, value: float) -> None:
    with pytest.raises(InputError) as caught:
        params.check(with_value(path, value), "params.yaml")
    line = str(caught.value)
    assert line.startswith("params.yaml: ")
    assert path.rpartition(".")[2] in line
    assert f"is {value}" in line
    assert "\n" not in line


def test_there_are_bounds_to_enforce() -> None:
    assert len(BEYOND) > 70


@pytest.mark.parametrize(
    "key", [key for key in KEYS if key.default.startswith("`") and "NAME" not in key.path], ids=str
)
def test_a_documented_default_is_what_a_file_without_the_key_gets(key: Key) -> None:
    config = with_value(key.path, None)
    node = config
    *parents, last = key.path.split(".")
    for part in parents:
        node = node[part]
    del node[last]
    filled = params.check(config, "params.yaml")
    for part in key.path.split("."):
        filled = filled[part]
    assert json.loads(key.default.strip("`")) == filled


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=6) | st.sampled_from([[], {}])
VALUES = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.text(max_size=4) | st.integers(0, 2), SCALARS, max_size=2)
)


def places(node: object, path: tuple = ()) -> list[tuple]:
    """The path of every mapping, list and value below ``node``."""
    below = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(place for key, value in below for place in places(value, (*path, key)))]


PLACES = places(default())[1:]


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.sampled_from(PLACES), value=VALUES, what=st.sampled_from(["replace", "remove", "add", "misspell"]))
def test_a_damaged_file_is_fine_or_one_line_and_never_a_traceback(place: tuple, value: object, what: str) -> None:
    config = default()
    node = config
    for key in place[:-1]:
        node = node[key]
    if what == "replace":
        node[place[-1]] = value
    elif what == "remove":
        del node[place[-1]]
    elif what == "misspell" and isinstance(node, dict):
        node[f"{place[-1]}x"] = node.pop(place[-1])
    elif isinstance(node, dict):
        node["added"] = value
    else:
        node.append(value)
    try:
        params.check(config, "params.yaml")
    except InputError as error:
        line = str(error)
        assert line.startswith("params.yaml: ")
        assert "\n" not in line
        assert len(line) > 30


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sead": 1}, ["unknown key 'sead'", "did you mean 'seed'?"]),
        ({"mitigate": {"lerning": {}}}, ["unknown key 'lerning' at mitigate", "did you mean 'learning'?"]),
        ({"environments": {"edge": {"backend": "lama"}}}, ["environments.edge.backend is 'lama'", "mean 'llama'?"]),
        ({"study": {"methods": ["open_lop"]}}, ["study.methods.0 is 'open_lop'", "did you mean 'open_loop'?"]),
        ({"robustness": {"templates": ["bbq_ark_v1"]}}, ["robustness.templates.0", "did you mean 'bbq_arc_v1'?"]),
        ({"prompts": {"stereset": {}}}, ["unknown key 'stereset' at prompts", "did you mean 'stereoset'?"]),
        (
            {"environments": {"edge": {"threads": "1"}}},
            ["environments.edge.threads is '1'", "from 1 to 256"],
        ),
        ({"environments": {"edge": {"threads": True}}}, ["environments.edge.threads is True", "a whole number"]),
        ({"score": {"confidence": float("nan")}}, ["score.confidence is nan", "above 0.5 and below 1"]),
        ({"mitigate": {"first_gain": 9}}, ["mitigate.first_gain is 9", "at most max_gain (4.0)"]),
        ({"infer": {"formats": {"bbq": ["letter", "letter"]}}}, ["infer.formats.bbq", "'letter' is in the list twice"]),
        ({"models": {"a b": {}}}, ["models.a b", "letters, digits, - and _"]),
        ({"models": {1: {}}}, ["models: the key 1 is no text", "put it in quotes"]),
        ({"plugins": ["no_such_module"]}, ["plugins: there is no module 'no_such_module'"]),
        ({"benchmarks": {"prefix": "../up"}}, ["benchmarks.prefix is '../up'", "a relative path without '..'"]),
    ],
)
def test_the_line_says_what_was_meant_and_what_is_allowed(change: dict, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        params.check(params.merge(default(), change), "params.yaml")
    for word in ["params.yaml: ", *words]:
        assert word in str(caught.value)


def test_a_key_that_is_missing_is_explained() -> None:
    config = default()
    del config["seed"]
    with pytest.raises(InputError, match="seed is missing; give a whole number of at least 0: Every random choice"):
        params.check(config, "params.yaml")


def test_a_misspelt_key_is_named_before_the_key_that_is_missing_for_it() -> None:
    config = default()
    config["study"]["suitse"] = config["study"].pop("suites")
    with pytest.raises(InputError, match="unknown key 'suitse' at study; did you mean 'suites'"):
        params.check(config, "params.yaml")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("compare", "correction", "fdr_by"), ("parity", "max_abs_difference", 0), ("score", "confidence", 0.51)],
)
def test_what_a_stage_takes_a_parameter_file_may_say(section: str, key: str, value: object) -> None:
    changed = params.check(params.merge(default(), {section: {key: value}}), "params.yaml")
    assert changed[section][key] == value


def test_values_stay_as_they_were_written() -> None:
    config = params.merge(default(), {"environments": {"edge": {"timeout_s": 60}}})
    assert json.dumps(params.check(config, "p")["environments"]["edge"]["timeout_s"]) == "60"
