"""Grammars under which a model can write nothing but JSON, or JSON of one schema.

llama-cpp-python translates schemas into llama.cpp's grammars, but leaves out without a word what it cannot express.
So a schema is first rewritten into the part of JSON Schema that is translated whole; anything else is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llama_cpp.llama_grammar import JSON_GBNF, SchemaConverter

from edgebias.serve.refusal import Refused, shown

JSON_OBJECT: str = JSON_GBNF
"""Any JSON object."""

LONGEST_SCHEMA = 65536
"""Characters of a schema as JSON: its grammar is searched for every token."""

MOST_REPEATS = 256
"""Largest bound of a length: a grammar writes each repetition out."""

_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "$schema", "$comment", "deprecated"})
_PRIMITIVES = ("object", "array", "string", "number", "integer", "boolean", "null")
_FORMATS = frozenset({"date", "time", "date-time", "uuid"})
_RANGE = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_TUPLE = ("prefixItems", "minItems", "maxItems")
_KEYS = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", *_TUPLE),
    "string": ("minLength", "maxLength", "format"),
    "integer": _RANGE,
    "number": _RANGE,
}
"""What may be said of values of a type. A range of numbers that are no integers is known and cannot be enforced."""

_ANYTHING = {"anyOf": [{"type": name} for name in _PRIMITIVES if name != "integer"]}

_CHARACTER = r"""[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F])"""
"""Of a JSON string. The library's own rule lets line feeds through, which no parser of JSON takes."""


class _Converter(SchemaConverter):  # type: ignore[misc]
    def _format_literal(self, literal: str) -> str:
        # The library escapes quotes alone, so that a name with a backslash would end its literal early.
        return str(super()._format_literal(literal.replace("\\", "\\\\")))


def schema_grammar(schema: object, param: str) -> str:
    """Return the grammar of JSON texts that ``schema`` allows, in llama.cpp's notation.

    Args:
        schema: a JSON Schema; objects have no more than the properties that it names.
        param: what the schema is called in messages.

    Raises:
        Refused: it is no schema, or says something that no grammar here can promise.
    """
    try:
        if len(json.dumps(schema)) > LONGEST_SCHEMA:
            raise Refused(f"{param}: longer than {LONGEST_SCHEMA} characters; shorten it", param=param)
        plain = _Plain(schema, param)
        converter = _Converter(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
        converter._refs = plain.definitions
        # Not under the name of the root: a property without a name, and a definition of everything, would take it.
        converter._rules["root"] = converter.visit(plain.schema, "answer")
    except RecursionError:
        raise Refused(f"{param}: nested too deep; make it flatter", param=param) from None
    if "char" in converter._rules:
        converter._rules["char"] = _CHARACTER
    return str(converter.format_grammar())


class _Plain:
    """A schema in the forms that are translated whole; definitions get names that no rule of the library has."""

    def __init__(self, schema: object, param: str) -> None:
        self._root, self._param = schema, param
        self._names: dict[str, str] = {}
        self.definitions: dict[str, Any] = {}
        self.schema = self._rewritten(schema, "")

    def _refuse(self, place: str, reason: str) -> Refused:
        return Refused(
            f"{self._param}: {shown(place or 'root')}: {reason}", param=self._param, code="unsupported_schema"
        )

    def _rewritten(self, schema: object, place: str) -> dict[str, Any]:
        if schema is True or schema == {}:
            return _ANYTHING
        if not isinstance(schema, dict):
            raise self._refuse(place, "a schema is a JSON object")
        said = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
        if place == "":
            said = {key: value for key, value in said.items() if key not in {"$defs", "definitions"}}
        if not said:
            return _ANYTHING
        for rewrite in (self._reference, self._choice, self._constants, self._types):
            plain = rewrite(said, place)
            if plain is not None:
                return plain
        raise self._refuse(place, "has no type; give it one")

    def _only(self, said: Mapping[str, Any], place: str, *known: str) -> None:
        for key in said:
            if key not in known:
                raise self._refuse(place, f"{shown(key)} cannot be enforced here; leave it out")

    def _reference(self, said: Mapping[str, Any], place: str) -> dict[str, Any] | None:
        if "$ref" not in said:
            return None
        self._only(said, place, "$ref")
        target = said["$ref"]
        parts = target.split("/") if isinstance(target, str) else []
        found = self._root.get(parts[1], {}) if len(parts) == 3 and isinstance(self._root, dict) else {}
        if len(parts) != 3 or parts[0] != "#" or not isinstance(found, dict) or parts[2] not in found:
            raise self._refuse(place, "'$ref' has to name a definition of this schema, as '#/$defs/Name'")
        if target not in self._names:
            name = self._names[target] = f"#/definition-{len(self._names)}"
            self.definitions[name] = self._rewritten(found[parts[2]], target)
            if "$ref" in self.definitions[name]:
                raise self._refuse(place, "'$ref' leads to no more than another '$ref'; name that one")
        return {"$ref": self._names[target]}

    def _choice(self, said: Mapping[str, Any], place: str) -> dict[str, Any] | None:
        if "anyOf" not in said:
            return None
        self._only(said, place, "anyOf")
        ways = said["anyOf"]
        if not isinstance(ways, list) or not ways:
            raise self._refuse(place, "'anyOf' is a list of schemas")
        return {"anyOf": [self._rewritten(way, f"{place}/anyOf/{index}") for index, way in enumerate(ways)]}

    def _constants(self, said: Mapping[str, Any], place: str) -> dict[str, Any] | None:
        if "enum" not in said and "const" not in said:
            return None
        self._only(said, place, "enum", "const", "type")
        values = [said["const"]] if "const" in said else said["enum"]
        if not isinstance(values, list) or not values:
            raise self._refuse(place, "'enum' is a list of values")
        return {"enum": values}

    def _types(self, said: Mapping[str, Any], place: str) -> dict[str, Any] | None:
        kind = said.get("type")
        if isinstance(kind, list) and kind:
            return {"anyOf": [self._rewritten(_of_type(said, one), place) for one in kind]}
        if kind is None:
            if "properties" not in said:
                self._only(said, place)
            kind = "object"
        rest = {key: value for key, value in said.items() if key != "type"}
        if kind == "object":
            return self._object(rest, place)
        if kind == "array":
            return self._array(rest, place)
        if kind == "string":
            return self._string(rest, place)
        if kind == "integer" and rest:
            return self._integer(rest, place)
        if kind in _PRIMITIVES:
            self._only(rest, place)
            return {"type": kind}
        raise self._refuse(place, f"'type' is none of {', '.join(_PRIMITIVES)}")

    def _object(self, said: Mapping[str, Any], place: str) -> dict[str, Any]:
        self._only(said, place, *_KEYS["object"])
        properties, required = said.get("properties", {}), said.get("required", [])
        if not isinstance(properties, dict) or not isinstance(required, list):
            raise self._refuse(place, "'properties' is an object and 'required' a list")
        for name in required:
            if not isinstance(name, str) or name not in properties:
                raise self._refuse(place, f"requires {shown(str(name))}, which is none of its properties")
        if properties:
            plain = {name: self._rewritten(value, f"{place}/{name}") for name, value in properties.items()}
            return {"type": "object", "properties": plain, "required": required, "additionalProperties": False}
        more = said.get("additionalProperties", "properties" not in said)
        if more is False:
            return {"type": "object", "additionalProperties": False}
        return {"type": "object", "additionalProperties": self._rewritten(more, f"{place}/additionalProperties")}

    def _array(self, said: Mapping[str, Any], place: str) -> dict[str, Any]:
        if "prefixItems" in said:
            tuple_ = said["prefixItems"]
            if not isinstance(tuple_, list) or not tuple_:
                raise self._refuse(place, "'prefixItems' is a list of schemas")
            self._only({k: v for k, v in said.items() if (k, v) != ("items", False)}, place, *_TUPLE)
            if {said.get("minItems", len(tuple_)), said.get("maxItems", len(tuple_))} != {len(tuple_)}:
                raise self._refuse(place, "'prefixItems' has another length than minItems or maxItems")
            return {"type": "array", "prefixItems": [self._rewritten(one, f"{place}/prefixItems") for one in tuple_]}
        self._only(said, place, "items", "minItems", "maxItems")
        return {
            "type": "array",
            "items": self._rewritten(said.get("items", True), f"{place}/items"),
            **self._bounds(said, place, "minItems", "maxItems"),
        }

    def _string(self, said: Mapping[str, Any], place: str) -> dict[str, Any]:
        if "format" in said:
            self._only(said, place, "format")
            if said["format"] not in _FORMATS:
                raise self._refuse(place, f"'format' is none of {', '.join(sorted(_FORMATS))}; leave it out")
            return {"type": "string", "format": said["format"]}
        self._only(said, place, "minLength", "maxLength")
        return {"type": "string", **self._bounds(said, place, "minLength", "maxLength")}

    def _integer(self, said: Mapping[str, Any], place: str) -> dict[str, Any]:
        """Write a short range out: no grammar here compares numbers."""
        self._only(said, place, *_KEYS["integer"])
        if not all(isinstance(value, int) and not isinstance(value, bool) for value in said.values()):
            raise self._refuse(place, "a bound of an integer is an integer")
        lows = [said[key] + more for key, more in (("minimum", 0), ("exclusiveMinimum", 1)) if key in said]
        highs = [said[key] - less for key, less in (("maximum", 0), ("exclusiveMaximum", 1)) if key in said]
        if not lows or not highs or not 0 <= min(highs) - max(lows) < MOST_REPEATS:
            raise self._refuse(place, f"a range of integers has both ends and at most {MOST_REPEATS} numbers")
        return {"enum": list(range(max(lows), min(highs) + 1))}

    def _bounds(self, said: Mapping[str, Any], place: str, low: str, high: str) -> dict[str, int]:
        bounds = {key: said[key] for key in (low, high) if key in said}
        for key, value in bounds.items():
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_REPEATS:
                raise self._refuse(place, f"'{key}' is no whole number from 0 to {MOST_REPEATS}")
        if bounds.get(low, 0) > bounds.get(high, MOST_REPEATS):
            raise self._refuse(place, f"'{low}' is above '{high}'")
        return bounds


def _of_type(said: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    """Return what ``said`` says of values of one of its types."""
    own = _KEYS.get(kind, ()) if isinstance(kind, str) else ()
    others = {key for keys in _KEYS.values() for key in keys if key not in own}
    return {key: value for key, value in said.items() if key not in others} | {"type": kind}
