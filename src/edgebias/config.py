"""Read, complete and check the parameters: one schema, defaults in one place."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from edgebias.core.errors import InputError

PROJECT = Path(__file__).resolve().parents[2]
"""The checkout: the package is installed from it, editable, because the workflow lives beside it."""

LOCAL_BACKENDS = ("llama", "torch")
"""Backends that give the log-probabilities of options."""

OTHER_BUILD = "open_loop_from_"
"""Beginning of a mitigation method whose directions were found on the variant that its name ends in."""

SCHEMA_FILE = PROJECT / "workflow" / "schemas" / "params.schema.yaml"


def load_schema(path: Path = SCHEMA_FILE) -> dict[str, Any]:
    """Read the JSON schema of the parameters."""
    schema: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return schema


def with_defaults(config: dict[str, Any], schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """A copy of ``config`` in which every absent key that has a default in the schema is filled in."""
    root = load_schema() if schema is None else schema
    complete = copy.deepcopy(config)
    _fill(complete, root, root)
    return complete


def check(config: dict[str, Any], origin: str) -> dict[str, Any]:
    """Complete ``config`` with defaults and check it.

    Args:
        config: the parameters as read.
        origin: the file they came from, for the message.

    Raises:
        InputError: an unknown key, a bad value, or a name that is not defined; the line names the key,
            the allowed values and ``origin``.
    """
    schema = load_schema()
    complete = with_defaults(config, schema)
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(complete))
    if error is not None:
        raise InputError(f"{origin}: {_explain(error)}")
    _check_names(complete, origin)
    return complete


def load(*paths: Path) -> dict[str, Any]:
    """Read ``paths`` one over another (mappings merge, other values replace), complete and check."""
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            layer = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise InputError(f"{path}: cannot be read as YAML ({error})") from error
        if not isinstance(layer, dict):
            raise InputError(f"{path}: a mapping of parameters is needed")
        merged = merge(merged, layer)
    return check(merged, " + ".join(str(path) for path in paths))


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """``above`` laid over ``below``, as Snakemake lays one configuration file over another."""
    result = copy.deepcopy(below)
    for key, value in above.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def _resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    if reference is None:
        return schema
    node: Any = root
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    resolved: dict[str, Any] = node
    return resolved


def _fill(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> None:
    schema = _resolve(schema, root)
    if isinstance(value, dict):
        for key, rule in schema.get("properties", {}).items():
            target = _resolve(rule, root)
            if key not in value and "default" in target:
                value[key] = copy.deepcopy(target["default"])
            if key in value:
                _fill(value[key], target, root)
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            for key in value.keys() - schema.get("properties", {}).keys():
                _fill(value[key], extra, root)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            _fill(item, schema["items"], root)


def _explain(error: jsonschema.ValidationError) -> str:
    if error.validator in {"oneOf", "anyOf"} and error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    where = ".".join(str(part) for part in error.absolute_path) or "the top level"
    schema: Any = error.schema
    values: Any = error.validator_value
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        allowed = sorted(schema.get("properties", {}))
        unknown = sorted(error.instance.keys() - set(allowed))
        return f"unknown key {unknown[0]!r} at {where}; allowed keys: {', '.join(allowed)}"
    if error.validator == "enum":
        allowed = [str(value) for value in values]
        return f"{where} is {error.instance!r}; allowed values: {', '.join(allowed)}"
    return f"{where}: {error.message}"


def _check_names(config: dict[str, Any], origin: str) -> None:
    study = config["study"]
    uses = [
        (f"study.cells[{index}]", cell["environment"], cell["model"], variant)
        for index, cell in enumerate(study["cells"])
        for variant in cell["variants"]
    ]
    defined = {(environment, model, variant) for _, environment, model, variant in uses}
    references = [(f"study.{key}", study[key]) for key in ("edge_build", "desktop_build", "cloud_build")]
    references += [(f"study.rounds[{index}]", cell) for index, cell in enumerate(study["rounds"])]
    references += [(f"study.robustness[{index}]", cell) for index, cell in enumerate(study["robustness"])]
    references += [(f"study.layer_probes[{index}]", cell) for index, cell in enumerate(study["layer_probes"])]
    for where, environment, model, variant in uses:
        for section, name in (("environments", environment), ("models", model), ("variants", variant)):
            if name not in config[section]:
                allowed = ", ".join(sorted(config[section]))
                raise InputError(f"{origin}: {where}: {name!r} is not in {section}; allowed values: {allowed}")
    for where, cell in references:
        if (cell["environment"], cell["model"], cell["variant"]) not in defined:
            raise InputError(f"{origin}: {where} names a cell that study.cells does not list: {cell}")
    _check_variants(config, origin)
    _check_robustness(config, origin)
    _check_layer_probes(config, origin)
    _check_methods(config, origin)
    for suite in study["suites"]:
        if suite not in config["infer"]["formats"]:
            raise InputError(f"{origin}: infer.formats has no entry for suite {suite!r}; name its formats")


def _check_robustness(config: dict[str, Any], origin: str) -> None:
    for index, cell in enumerate(config["study"]["robustness"]):
        if config["environments"][cell["environment"]]["backend"] not in LOCAL_BACKENDS:
            raise InputError(
                f"{origin}: study.robustness[{index}]: environment {cell['environment']!r} gives no log-probabilities; "
                f"name cells whose backend is one of {', '.join(LOCAL_BACKENDS)}"
            )
    suite = config["robustness"]["suite"]
    if config["study"]["robustness"] and suite not in config["study"]["suites"]:
        raise InputError(
            f"{origin}: robustness.suite: {suite!r} is not in study.suites; allowed values: "
            f"{', '.join(config['study']['suites'])}"
        )


def _check_layer_probes(config: dict[str, Any], origin: str) -> None:
    for index, cell in enumerate(config["study"]["layer_probes"]):
        if config["environments"][cell["environment"]]["backend"] != "llama":
            raise InputError(
                f"{origin}: study.layer_probes[{index}]: environment {cell['environment']!r} does not show what is "
                "inside its model; name cells whose backend is llama"
            )
    suites = config["layer_probes"]["suites"]
    if config["study"]["layer_probes"] and not set(suites) & set(config["study"]["suites"]):
        raise InputError(
            f"{origin}: layer_probes.suites: none of {suites} is in study.suites; allowed values: "
            f"{', '.join(config['study']['suites'])}"
        )


def _check_methods(config: dict[str, Any], origin: str) -> None:
    for method in config["study"]["methods"]:
        variant = method.removeprefix(OTHER_BUILD)
        if variant != method and variant not in config["variants"]:
            allowed = ", ".join(sorted(config["variants"]))
            raise InputError(f"{origin}: study.methods: {method}: no variant {variant!r}; allowed values: {allowed}")


def _check_variants(config: dict[str, Any], origin: str) -> None:
    for name, variant in config["variants"].items():
        if name == "full":
            continue
        where = f"variants.{name}"
        if variant.get("from") not in config["variants"]:
            allowed = ", ".join(sorted(config["variants"]))
            raise InputError(f"{origin}: {where}.from is {variant.get('from')!r}; allowed values: {allowed}")
        if not variant.keys() & {"quantise", "prune"}:
            raise InputError(f"{origin}: {where} changes nothing; give quantise or prune")
        seen = {name}
        parent = variant["from"]
        while parent != "full":
            if parent in seen:
                raise InputError(f"{origin}: {where}.from leads back to itself")
            seen.add(parent)
            parent = config["variants"][parent].get("from", "full")
