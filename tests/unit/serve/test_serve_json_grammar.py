"""Schemas as grammars: what is promised is kept, and what cannot be kept is refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import jsonschema
import llama_cpp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.core.errors import InputError
from edgebias.serve.json_grammar import JSON_OBJECT, schema_grammar
from edgebias.serve.live import load_model
from edgebias.serve.live_grammar import LiveGrammar
from edgebias.serve.refusal import Refused


@pytest.fixture(scope="module")
def model(tiny: Path) -> Iterator[Any]:
    loaded = load_model(tiny, threads=1, context=64)
    yield loaded
    loaded.close()


def written(model: Any, grammar: str, seed: int, most: int = 4000) -> str:
    """A text that the grammar allows, drawn token by token; quotes and brackets come more often, so that it ends."""
    live, random, raw = LiveGrammar(model, grammar), np.random.default_rng(seed), b""
    weights = np.zeros(model.n_vocab(), np.float32)
    for index in range(model.n_vocab()):
        piece = model.detokenize([index])
        weights[index] = 6.0 if piece in (b'"', b"}", b"]") else 0.0 if piece.isascii() else -3.0
    for _ in range(most):
        masked = live.mask(None, weights + random.gumbel(size=len(weights)).astype(np.float32))
        token = int(np.argmax(masked))
        live.accept(token)
        if llama_cpp.llama_vocab_is_eog(llama_cpp.llama_model_get_vocab(model.model), token):
            return raw.decode("utf-8")
        raw += model.detokenize([token])
    pytest.fail(f"no end: {raw[:200]!r}")


KEPT: list[Any] = [
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["a", "b"]},
    {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}, "required": ["b"]},
    {"type": "object", "properties": {"a": {"type": ["string", "null"]}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": ["string", "null"], "enum": ["x", None]}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": ["string", "null"], "maxLength": 2}}, "required": ["a"]},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"type": "object", "additionalProperties": False},
    {"properties": {"a": {"const": 5}}, "required": ["a"]},
    {"type": "object", "properties": {"a": {"type": "number"}}, "additionalProperties": True, "required": ["a"]},
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    {"type": "array", "items": {"enum": [1, 2]}, "minItems": 0, "maxItems": 0},
    {"type": "array", "items": {"type": "null"}, "minItems": 256},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2},
    {"type": "array", "prefixItems": [{"const": 1}], "items": False},
    {"type": "string", "minLength": 2, "maxLength": 5},
    {"type": "string", "maxLength": 256},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "format": "time"},
    {"type": "string", "format": "uuid"},
    {"type": "integer", "minimum": 1, "maximum": 5},
    {"type": "integer", "exclusiveMinimum": -3, "exclusiveMaximum": 3},
    {"enum": ['a "quoted"', "back\\slash", "line\nfeed", "é", "😀", "\u2028", "]", 1.5, None, {"k": [1]}]},
    {"const": {"a": '"\\'}},
    {"type": "object", "properties": {'a"b\\c\n😀': {"type": "null"}, "a b": {"const": 1}, "a-b": {"const": 2}}},
    {
        "type": "object",
        "properties": {"string": {"type": "null"}, "object": {"type": "null"}, "root": {"type": "null"}},
    },
    {"anyOf": [{"type": "null"}, {"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"]}]},
    {
        "$defs": {
            "string": {"type": "object", "properties": {"n": {"anyOf": [{"$ref": "#/$defs/string"}, {"type": "null"}]}}}
        },
        "type": "object",
        "properties": {"s": {"$ref": "#/$defs/string"}},
        "required": ["s"],
    },
    {
        "definitions": {"My_Class": {"enum": [1]}},
        "type": "array",
        "items": {"$ref": "#/definitions/My_Class"},
        "minItems": 1,
    },
    {"$ref": "#/$defs/A", "$defs": {"A": {"type": "array", "items": {"$ref": "#/$defs/A"}, "maxItems": 1}}},
    {},
    {"title": "Anything", "description": "x", "default": 5},
    {"type": "object", "properties": {f"p{index}": {"type": "null"} for index in range(60)}},
]


@pytest.mark.parametrize("schema", KEPT, ids=lambda schema: json.dumps(schema)[:60])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_written_under_a_schema_is_json_that_fits_it(model: Any, schema: Any, seed: int) -> None:
    text = written(model, schema_grammar(schema, "schema"), seed)
    jsonschema.validate(json.loads(text), schema, cls=jsonschema.Draft202012Validator)


@pytest.mark.parametrize("seed", range(5))
def test_an_object_of_any_kind_is_json(model: Any, seed: int) -> None:
    assert isinstance(json.loads(written(model, JSON_OBJECT, seed)), dict)


@pytest.mark.parametrize(
    ("schema", "named"),
    [
        ({"type": "string", "pattern": "a+"}, "'pattern'"),
        ({"type": "string", "format": "email"}, "'format'"),
        ({"type": "string", "format": "date", "maxLength": 3}, "'maxLength'"),
        ({"type": "number", "minimum": 0}, "'minimum'"),
        ({"type": "integer", "minimum": 0}, "range of integers"),
        ({"type": "integer", "minimum": 0, "maximum": 10**9}, "range of integers"),
        ({"type": "integer", "minimum": 5, "maximum": 1}, "range of integers"),
        ({"type": "integer", "minimum": 0.5, "maximum": 3}, "bound of an integer"),
        ({"type": "integer", "multipleOf": 2}, "'multipleOf'"),
        ({"oneOf": [{"type": "null"}]}, "'oneOf'"),
        ({"allOf": [{"type": "null"}]}, "'allOf'"),
        ({"not": {}}, "'not'"),
        ({"type": "object", "patternProperties": {"a": {}}}, "'patternProperties'"),
        ({"type": "object", "minProperties": 1}, "'minProperties'"),
        ({"type": "object", "properties": {"a": {"if": {}}}}, "'/a'"),
        ({"type": "object", "properties": [], "required": []}, "'properties'"),
        ({"type": "object", "properties": {"a": {}}, "required": ["b"]}, "requires 'b'"),
        ({"type": "object", "properties": {"a": {}}, "required": [["a"]]}, "requires"),
        ({"type": "array", "uniqueItems": True}, "'uniqueItems'"),
        ({"type": "array", "items": [{"type": "null"}]}, "a schema is a JSON object"),
        ({"type": "array", "minItems": 10**9}, "'minItems'"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "'minItems' is above"),
        ({"type": "array", "minItems": -1}, "'minItems'"),
        ({"type": "array", "minItems": True}, "'minItems'"),
        ({"type": "array", "prefixItems": []}, "'prefixItems'"),
        ({"type": "array", "prefixItems": [{}], "items": {"type": "null"}}, "'items'"),
        ({"type": "array", "prefixItems": [{}], "minItems": 2}, "another length"),
        ({"type": "strange"}, "'type'"),
        ({"type": []}, "'type'"),
        ({"type": ["string", "strange"]}, "'type'"),
        ({"type": 5}, "'type'"),
        ({"enum": []}, "'enum'"),
        ({"enum": 5}, "'enum'"),
        ({"enum": [1], "minimum": 0}, "'minimum'"),
        ({"anyOf": []}, "'anyOf'"),
        ({"anyOf": [{}], "type": "string"}, "'type'"),
        ({"$ref": "https://example.org/x.json"}, "'$ref'"),
        ({"$ref": "#"}, "'$ref'"),
        ({"$ref": "#/$defs/none"}, "'$ref'"),
        ({"$ref": 5}, "'$ref'"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}}, "'$ref'"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}, "'$ref'"),
        (False, "a schema is a JSON object"),
        (None, "a schema is a JSON object"),
        ("string", "a schema is a JSON object"),
        ({"description": "x" * 70_000}, "longer than"),
        (reduce(lambda inner, _: {"type": "array", "items": inner}, range(900), {}), "too deep"),
        ({"type": "object", "properties": {f"p{index}": {} for index in range(2500)}}, "too deep"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(schema: Any, named: str) -> None:
    with pytest.raises(Refused) as caught:
        schema_grammar(schema, "schema")
    assert named in str(caught.value)
    assert caught.value.param == "schema"


def test_a_token_that_the_grammar_does_not_allow_ends_the_answer_and_not_the_process(model: Any) -> None:
    live = LiveGrammar(model, 'root ::= "a"')
    live.mask(None, np.zeros(model.n_vocab(), np.float32))
    with pytest.raises(InputError, match="no token of this model"):
        live.accept(int(model.tokenize(b"Z", add_bos=False)[0]))


def test_a_grammar_that_llama_cpp_cannot_read_is_told(model: Any) -> None:
    with pytest.raises(InputError, match="cannot read"):
        LiveGrammar(model, "root ::= (")


SCHEMAS = st.recursive(
    st.sampled_from([{"type": name} for name in ("string", "number", "integer", "boolean", "null")])
    | st.lists(st.none() | st.booleans() | st.integers() | st.text(max_size=5), min_size=1, max_size=3).map(
        lambda values: {"enum": values}
    ),
    lambda inner: (
        st.dictionaries(st.text(max_size=5), inner, max_size=3).flatmap(
            lambda properties: st.lists(st.sampled_from(sorted(properties) or [""]), unique=True).map(
                lambda required: {
                    "type": "object",
                    "properties": properties,
                    "required": [name for name in required if name in properties],
                    "additionalProperties": False,
                }
            )
        )
        | st.tuples(inner, st.integers(0, 3)).map(lambda of: {"type": "array", "items": of[0], "maxItems": of[1]})
        | st.lists(inner, min_size=1, max_size=3).map(lambda ways: {"anyOf": ways})
    ),
    max_leaves=5,
)


@settings(max_examples=60)
@given(SCHEMAS, st.integers(0, 100))
def test_schemas_of_all_shapes_are_kept(model: Any, schema: Any, seed: int) -> None:
    text = written(model, schema_grammar(schema, "schema"), seed)
    jsonschema.validate(json.loads(text), schema, cls=jsonschema.Draft202012Validator)
