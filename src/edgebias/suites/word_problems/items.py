"""Word problems whose answers are computed: templates of our own, ``data/word_problems/``, filled with seeded numbers.

They stand for GSM8K (Cobbe et al., arXiv 2110.14168) where its file is not at hand, and are easier: one to three steps.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edgebias.core.errors import InputError
from edgebias.core.seeds import generator
from edgebias.core.yaml_file import read_yaml
from edgebias.suites.final_number import number_problem
from edgebias.suites.item import Item
from edgebias.suites.raw_files import checked_keys

FILE = "templates.yaml"
FILLINGS = 20
"""Items of a template."""

_TRIES = 50
_NAMES = ("name", "other")
_FIELD = re.compile(r"\{(\w+)\}")
_OPERATIONS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}


def load(folder: Path) -> list[Item]:
    """Return `FILLINGS` problems of each template, all different, with the right number and three near it as options.

    The template is the cluster: its problems have one text and other numbers. Numbers are drawn from a seed of the
    template's own, so that a new template changes no other one's problems.

    Raises:
        InputError: the file is absent, or a template lacks a key, is filled by a number that it does not declare, or
            has an answer that is not computed from its numbers, or is below 1.
    """
    path = folder / FILE
    content = checked_keys(read_yaml(path), ("names", "templates"), str(path))
    names = content["names"]
    if not isinstance(names, list) or len(set(map(str, names))) < max(len(names), len(_NAMES)):
        raise InputError(f"{path}: 'names' must be a list of different names, two at least")
    if not isinstance(content["templates"], list) or not content["templates"]:
        raise InputError(f"{path}: 'templates' must be a list that is not empty")
    seen: set[str] = set()
    items: list[Item] = []
    for number, value in enumerate(content["templates"], start=1):
        place = f"{path}: template {number}"
        template = checked_keys(value, ("id", "category", "text", "numbers", "answer"), place)
        if str(template["id"]) in seen:
            raise InputError(f"{place}: id {template['id']!r} is used twice; give every template its own")
        seen.add(str(template["id"]))
        items += _items(template, [str(name) for name in names], place)
    return items


def _items(template: Mapping[str, Any], names: list[str], place: str) -> Iterator[Item]:
    rng = generator(0, "word problems", str(template["id"]))
    problems: dict[str, int] = {}
    for _ in range(_TRIES * FILLINGS):
        text, answer = _filled(template, names, rng, place)
        problems.setdefault(text, answer)
        if len(problems) == FILLINGS:
            break
    else:
        raise InputError(f"{place}: fewer than {FILLINGS} problems differ; widen its 'numbers'")
    for turn, (text, answer) in enumerate(problems.items()):
        yield number_problem(
            f"word_problems/{template['id']}/{turn:02d}",
            suite="word_problems",
            category=str(template["category"]),
            cluster=f"word_problems/{template['id']}",
            question=text,
            answer=answer,
            source=f"data/word_problems/{FILE}:{template['id']}",
            block=str(turn),
        )


def _filled(template: Mapping[str, Any], names: list[str], rng: np.random.Generator, place: str) -> tuple[str, int]:
    values: dict[str, int] = {}
    for name, limits in _mapping(template, "numbers", place).items():
        if not (isinstance(limits, list) and len(limits) == 2 and all(isinstance(one, int) for one in limits)):
            raise InputError(f"{place}: numbers.{name}: a smallest and a largest whole number are needed")
        if limits[0] > limits[1]:
            raise InputError(f"{place}: numbers.{name}: {limits[0]} is above {limits[1]}; exchange them")
        values[name] = int(rng.integers(limits[0], limits[1], endpoint=True))
    for name, expression in _mapping(template, "derived", place).items():
        values[name] = _computed(str(expression), values, f"{place}: derived.{name}")
    answer = _computed(str(template["answer"]), values, f"{place}: answer")
    if answer < 1:
        raise InputError(f"{place}: answer: {answer} with {values}; choose 'numbers' that keep it at 1 or more")
    people = dict(zip(_NAMES, rng.choice(names, size=len(_NAMES), replace=False), strict=True))
    text = str(template["text"])
    if unknown := sorted({*_FIELD.findall(text)} - {*values, *people}):
        raise InputError(f"{place}: text: {{{unknown[0]}}} is no number of the template, {{name}} or {{other}}")
    return _FIELD.sub(lambda field: str((values | people)[field[1]]), text), answer


def _mapping(template: Mapping[str, Any], key: str, place: str) -> dict[str, Any]:
    value = template.get(key, {})
    if not isinstance(value, dict):
        raise InputError(f"{place}: {key!r} must be a mapping")
    return {str(name): entry for name, entry in value.items()}


def _computed(expression: str, values: Mapping[str, int], place: str) -> int:
    """Return the value of an expression of whole numbers, names of numbers, ``+``, ``-``, ``*`` and brackets."""

    def value(node: ast.expr) -> int:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        if isinstance(node, ast.Name) and node.id in values:
            return values[node.id]
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATIONS:
            return int(_OPERATIONS[type(node.op)](value(node.left), value(node.right)))
        raise InputError(
            f"{place}: {expression!r}: whole numbers, {sorted(values)}, +, -, * and brackets may stand there"
        )

    try:
        return value(ast.parse(expression.strip(), mode="eval").body)
    except SyntaxError as error:
        raise InputError(f"{place}: {expression!r} is no expression; correct it") from error
