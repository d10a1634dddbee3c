"""Records of settings: typed, frozen, checked when they are made; a fault is one line.

A section of ``params.yaml`` is a `Record` beside the code that uses it; `edgebias.config` puts them together. The line
below a field is its prose in the JSON schema and in the reference page. `allowed` says in words what a field takes, for
messages and for that page, so that both say the same.
"""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, TypeVar

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Strict, TypeAdapter
from pydantic import ValidationError as PydanticError
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError, core_schema

from edgebias.core.errors import InputError
from edgebias.core.key_like import without_keys

T = TypeVar("T")
R = TypeVar("R", bound="Record")

SHOWN = 60
"""Most characters of a value that a message repeats."""

TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "a text",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}


class Record(BaseModel):
    """A section of settings. Unknown keys and values of another type are refused; nothing is converted."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @classmethod
    def key_of(cls, name: str) -> str:
        """Return the key by which a file calls the field ``name``; keys of a plugin's own are no fields."""
        field = cls.model_fields.get(name)
        return name if field is None else field.alias or name


def _different(values: tuple[T, ...]) -> tuple[T, ...]:
    for place, value in enumerate(values):
        if value in values[:place]:
            raise PydanticCustomError("twice", "{value} is in the list twice; name it once", {"value": repr(value)})
    return values


@dataclass(frozen=True)
class _Unique:
    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(_different, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "uniqueItems": True}


def text_like(pattern: str, words: str) -> Any:
    """Return a field that is a text which ``pattern`` matches; ``words`` say so to a reader."""
    return Field(pattern=pattern, json_schema_extra={"words": words})


ListOf = Annotated[tuple[T, ...], Strict(False)]
"""A list of a file; a tuple here."""

SetOf = Annotated[tuple[T, ...], Strict(False), _Unique()]
"""A list of a file in which nothing stands twice; a tuple here, in the order of the file."""

SomeOf = Annotated[tuple[T, ...], Strict(False), MinLen(1), _Unique()]
"""A `SetOf` that is not empty."""


@dataclass(frozen=True)
class OneOf:
    """Marks a text that must be one of the names of a registry, those of plugins included.

    Args:
        names: the names; asked when a value is checked, so that plugins count.
        word: what a name is the name of.
    """

    names: Callable[[], Iterable[str]]
    word: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check the name after the type."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Offer the names to an editor; it cannot know those of plugins."""
        return {
            "anyOf": [{"enum": list(self.names())}, {"type": "string", "description": f"A {self.word} of a plugin."}]
        }

    def _check(self, value: str) -> str:
        names = list(self.names())
        if value not in names:
            raise PydanticCustomError(
                "one_of",
                "{near}allowed values: {names}",
                {"near": near(value, names), "names": ", ".join(names)},
            )
        return value


def checked(kind: type[T], value: Any, origin: str, where: Sequence[str | int] = ()) -> T:
    """Return ``value`` as a ``kind``, a record or any other type.

    Args:
        kind: what it must be.
        value: as a YAML or JSON file has it.
        origin: the file or flag it comes from, for the message.
        where: keys that lead to it, for the message.

    Raises:
        InputError: it is not; the line names origin, key, what was given, and what is allowed.
    """
    try:
        made: T = _adapter(kind).validate_python(value)
        return made
    except PydanticError as error:
        found = min(error.errors(), key=_nearness)
        raise InputError(f"{origin}: {without_keys(_line(found, kind, where))}") from None


def completed(given: Mapping[str, Any], record: Record) -> dict[str, Any]:
    """Return a copy of ``given`` with the defaults of ``record``, which was made from it.

    Values stay as they were written.
    """
    complete = copy.deepcopy(dict(given))
    _fill(complete, record)
    return complete


def mapping_of(record: Record) -> dict[str, Any]:
    """Return the keys of ``record`` that were given or have a default, as a file would have them."""
    given = {record.key_of(name): _as_yaml(getattr(record, name)) for name in record.model_fields_set}
    return completed(given, record)


def near(value: object, names: Iterable[str]) -> str:
    """Return ``did you mean 'NAME'? `` with the most similar of ``names``, or nothing."""
    similar = difflib.get_close_matches(str(value), list(names), n=1)
    return f"did you mean {similar[0]!r}? " if similar else ""


def show(value: object) -> str:
    """Return ``value`` in one short line, without what looks like a key."""
    text = without_keys(" ".join(repr(value).split()))
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def path_of(keys: Iterable[str | int]) -> str:
    """Return the keys with dots between them; of a list the place, from 0. Marks of a kind of record are left out."""
    return ".".join(str(key) for key in keys if not _is_mark(key)) or "the top level"


def allowed(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return in words what a JSON schema takes: ``a whole number from 1 to 256``."""
    schema = resolved(schema, definitions)
    if "words" in schema:
        return str(schema["words"])
    choices = [option for option in schema.get("anyOf") or schema.get("oneOf") or () if option != {"type": "null"}]
    if choices:
        return " or ".join(dict.fromkeys(allowed(option, definitions) for option in choices))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return f"one of {', '.join(str(value) for value in values)}" if len(values) > 1 else str(values[0])
    kind = str(schema.get("type", ""))
    if kind == "array":
        least = schema.get("minItems", 0)
        several = f" of at least {least}" if least else ""
        different = ", none twice" if schema.get("uniqueItems") else ""
        return f"a list{several}, each {allowed(schema.get('items', {}), definitions)}{different}"
    words = TYPES.get(kind, "any value")
    if kind in {"integer", "number"}:
        return words + _range(schema)
    if kind == "string":
        words = "a text that is not empty" if schema.get("minLength") else words
    return words


def resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``schema``, or what its ``$ref`` points to, with what stands beside the reference."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    target = resolved(definitions[str(reference).rpartition("/")[2]], definitions)
    return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}


def options(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the alternatives that ``node`` takes, each resolved; ``node`` itself where it has none."""
    node = resolved(node, definitions)
    inner = node.get("anyOf") or node.get("oneOf")
    return [node] if inner is None else [found for option in inner for found in options(option, definitions)]


def _range(schema: Mapping[str, Any]) -> str:
    above, least = schema.get("exclusiveMinimum"), schema.get("minimum")
    below, most = schema.get("exclusiveMaximum"), schema.get("maximum")
    if least is not None and most is not None:
        return f" from {least:g} to {most:g}"
    low = f"above {above:g}" if above is not None else f"of at least {least:g}" if least is not None else ""
    high = f"below {below:g}" if below is not None else f"of at most {most:g}" if most is not None else ""
    return "".join(f" {part}" for part in (" and ".join(filter(None, (low, high))),) if part)


def _fill(given: dict[str, Any], record: Record) -> None:
    """Fill what ``given`` leaves out with the defaults of ``record``, which was made from it."""
    for name, field in type(record).model_fields.items():
        key, value = record.key_of(name), getattr(record, name)
        if key not in given:
            null = isinstance(field.json_schema_extra, dict) and "default" in field.json_schema_extra
            if (value is not None or null) and not field.is_required():
                given[key] = _as_yaml(value)
        else:
            _fill_below(given[key], value)
    for key, value in (record.__pydantic_extra__ or {}).items():
        _fill_below(given[key], value)


def _fill_below(given: Any, value: Any) -> None:
    if isinstance(value, Record):
        _fill(given, value)
    elif isinstance(value, dict):
        for key, entry in value.items():
            _fill_below(given[key], entry)
    elif isinstance(value, tuple):
        for one, entry in zip(given, value, strict=True):
            _fill_below(one, entry)


def _as_yaml(value: Any) -> Any:
    """Return a value as YAML has it."""
    if isinstance(value, Record):
        return mapping_of(value)
    if isinstance(value, dict):
        return {key: _as_yaml(entry) for key, entry in value.items()}
    return [_as_yaml(entry) for entry in value] if isinstance(value, tuple | list) else value


def _is_mark(key: str | int) -> bool:
    return isinstance(key, str) and re.fullmatch(r"<.*>|\[key\]", key) is not None


def _nearness(error: ErrorDetails) -> tuple[bool, int, bool]:
    """Rank a fault: an unknown key explains a missing one; of others the deepest is the most exact."""
    return error["type"] != "extra_forbidden", -len(error["loc"]), error["type"] == "missing"


def _line(error: ErrorDetails, kind: Any, where: Sequence[str | int]) -> str:
    keys = [*where, *error["loc"]]
    place, given = path_of(keys), show(error["input"])
    match error["type"]:
        case "extra_forbidden":
            known = _keys(kind, error["loc"][:-1])
            hint, all_known = near(keys[-1], known), ", ".join(known)
            return f"unknown key {show(str(keys[-1]))} at {path_of(keys[:-1])}; {hint}allowed keys: {all_known}"
        case "missing":
            schema, definitions = _schema_at(kind, error["loc"])
            prose = f": {schema['description'].rstrip('.')}" if "description" in schema else ""
            return f"{place} is missing; give {allowed(schema, definitions)}{prose}"
        case "union_tag_not_found":
            schema, definitions = _schema_at(kind, error["loc"])
            kinds = [f"{{{', '.join(one['required'])}}}" for one in options(schema, definitions) if "required" in one]
            return f"{place} is {given}; give the keys of one kind: {' or '.join(kinds)}"
        case "key":
            return f"{place}.{error['msg']}"
        case "unshown":  # it may hold a key
            return f"{place}: {error['msg']}"
        case "one_of" | "twice" | "custom":
            return f"{place} is {given}; {error['msg']}"
        case "invalid_key" | "string_type" if keys[-1] == "[key]" or error["type"] == "invalid_key":
            names = [key for key in keys if key != "[key]"]
            return f"{path_of(names[:-1])}: the key {show(names[-1])} is no text; put it in quotes or take it out"
    schema, definitions = _schema_at(kind, error["loc"])
    needed = allowed(schema, definitions)
    choices = re.match("one of (.*)", needed)
    if choices:
        return f"{place} is {given}; {near(error['input'], choices[1].split(', '))}allowed values: {choices[1]}"
    return f"{place} is {given}; {needed} is needed"


_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Return the validator of ``kind``; pydantic takes long to make one."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


@cache
def _json_schema(kind: Any) -> dict[str, Any]:
    return _adapter(kind).json_schema()


def _schema_at(kind: Any, keys: Sequence[str | int]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the schema of what ``keys`` lead to, and the definitions that it refers to."""
    root = _json_schema(kind)
    definitions = root.get("$defs", {})
    node: Mapping[str, Any] = root
    for key in keys:
        node = resolved(node, definitions)
        if key == "[key]":
            node = node.get("propertyNames", {})
            continue
        found_here = options(node, definitions)
        if isinstance(key, str) and _is_mark(key):
            node = next((option for option in found_here if option.get("title") == key[1:-1]), {})
        else:
            node = next((found for option in found_here if (found := _child(option, key)) is not None), {})
    return resolved(node, definitions), definitions


def _child(node: Mapping[str, Any], key: str | int) -> Mapping[str, Any] | None:
    if isinstance(key, int):
        items: Mapping[str, Any] | None = node.get("items")
        return items
    if key in node.get("properties", {}):
        child: Mapping[str, Any] = node["properties"][key]
        return child
    extra = node.get("additionalProperties", next(iter(node.get("patternProperties", {}).values()), None))
    return extra if isinstance(extra, Mapping) else None


def _keys(kind: Any, keys: Sequence[str | int]) -> list[str]:
    schema, definitions = _schema_at(kind, keys)
    return sorted({name for option in options(schema, definitions) for name in option.get("properties", {})})
