"""A claim, where it reads its numbers, and when it holds.

A claim reads one or more numbers and states an expectation that they can miss. It is SKIPPED only where a condition
that it names does not hold (say, that the paper's models ran); an absent file or an empty selection is a FAIL, because
a claim about nothing is not true.
"""

from __future__ import annotations

import glob
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from edgebias.core.errors import InputError
from edgebias.core.files import read_json, read_table, write_csv
from edgebias.core.yaml_file import read_yaml

Status = Literal["PASS", "FAIL", "SKIPPED"]
TIERS = ("exact", "statistical")
EXPECTATIONS = ("equals", "within", "at_least", "above", "interval_covers", "defined")
"""What a claim may expect of what it reads."""


@dataclass(frozen=True)
class Reading:
    """Where numbers are: a file (or a glob), and a dotted key of JSON or a selection of a CSV's rows."""

    file: str
    key: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)
    column: str = ""


@dataclass(frozen=True)
class Condition:
    """What must hold for a claim to be evaluated, and why it is skipped otherwise."""

    reading: Reading
    expected: Any
    otherwise: str


@dataclass(frozen=True)
class Claim:
    """One line of the claims table."""

    id: str
    paper: str
    claim: str
    reads: Reading
    expectation: str
    expected: Any
    tier: str
    cost: str
    requires: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """What came out for one claim, with the number that decided."""

    id: str
    status: Status
    reason: str
    claim: str


def read_claims(path: Path) -> list[Claim]:
    """Read and check ``claims.yaml``.

    Raises:
        InputError: it is absent or a claim lacks a key, has a foreign one, or an unknown expectation.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file; name the claims with --claims")
    value = read_yaml(path)
    if not isinstance(value, dict) or not isinstance(value.get("claims"), list) or not value["claims"]:
        raise InputError(f"{path}: a mapping with a list 'claims' is needed")
    claims = [_claim(path, entry) for entry in value["claims"]]
    names = [claim.id for claim in claims]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: claim {name!r} occurs twice; ids must be unique")
    return claims


def _claim(path: Path, entry: Any) -> Claim:
    needed = {"id", "paper", "claim", "reads", "expect", "tier", "cost"}
    if not isinstance(entry, dict):
        raise InputError(f"{path}: a claim must be a mapping, not {entry!r}")
    name = entry.get("id", "?")
    for key in sorted(needed - set(entry)):
        raise InputError(f"{path}: claim {name!r} lacks {key!r}")
    for key in sorted(set(entry) - needed - {"requires"}):
        raise InputError(f"{path}: claim {name!r} has the unknown key {key!r}")
    expect = entry["expect"]
    if not isinstance(expect, dict) or len(expect) != 1 or next(iter(expect)) not in EXPECTATIONS:
        raise InputError(f"{path}: claim {name!r}: 'expect' needs exactly one of {list(EXPECTATIONS)}")
    if entry["tier"] not in TIERS:
        raise InputError(f"{path}: claim {name!r}: tier must be one of {list(TIERS)}")
    ((expectation, expected),) = expect.items()
    if not _fits(str(expectation), expected):
        raise InputError(
            f"{path}: claim {name!r}: {expectation} cannot be {expected!r}; see claims.yaml of the project"
        )
    conditions = entry.get("requires") or []
    if not isinstance(conditions, list) or not all(
        isinstance(condition, dict) and {"equals", "otherwise"} <= set(condition) for condition in conditions
    ):
        raise InputError(f"{path}: claim {name!r}: 'requires' needs a list of {{file, key, equals, otherwise}}")
    return Claim(
        id=str(name),
        paper=str(entry["paper"]),
        claim=str(entry["claim"]),
        reads=_reading(path, str(name), entry["reads"]),
        expectation=str(expectation),
        expected=expected,
        tier=str(entry["tier"]),
        cost=str(entry["cost"]),
        requires=tuple(
            Condition(_reading(path, str(name), condition), condition["equals"], str(condition["otherwise"]))
            for condition in conditions
        ),
    )


def _fits(expectation: str, expected: Any) -> bool:
    match expectation:
        case "equals":
            return not isinstance(expected, list | dict)
        case "defined":
            return isinstance(expected, bool)
        case "within":
            return isinstance(expected, dict) and all(_finite(expected.get(key)) for key in ("value", "tolerance"))
        case _:
            return _finite(expected)


def _reading(path: Path, name: str, entry: Any) -> Reading:
    if not isinstance(entry, dict) or "file" not in entry:
        raise InputError(f"{path}: claim {name!r}: 'reads' and 'requires' need a 'file'")
    if not isinstance(entry.get("where", {}), dict):
        raise InputError(f"{path}: claim {name!r}: 'where' must be a mapping of columns to values")
    return Reading(
        file=str(entry["file"]),
        key=str(entry.get("key", "")),
        where=dict(entry.get("where", {})),
        column=str(entry.get("column", "")),
    )


def judge(claim: Claim, root: Path) -> Verdict:
    """Evaluate one claim with its files below ``root``."""
    for condition in claim.requires:
        try:
            values = _values(condition.reading, root)
        except InputError as error:
            return Verdict(claim.id, "FAIL", str(error), claim.claim)
        if any(value != condition.expected for value in values):
            return Verdict(claim.id, "SKIPPED", condition.otherwise, claim.claim)
    try:
        holds, reason = _holds(claim, root)
    except InputError as error:
        return Verdict(claim.id, "FAIL", str(error), claim.claim)
    return Verdict(claim.id, "PASS" if holds else "FAIL", reason, claim.claim)


def write_verdicts(verdicts: Sequence[Verdict], path: Path) -> None:
    """Write verdicts as a table (CSV), by claim."""
    write_csv(pd.DataFrame(verdicts), path, sort_by=["id"])


def read_verdicts(path: Path) -> list[Verdict]:
    """Read what `write_verdicts` wrote.

    Raises:
        InputError: the file is absent or has other columns.
    """
    names = [column.name for column in fields(Verdict)]
    return [Verdict(*(row[name] for name in names)) for row in read_table(path, names).to_dict("records")]


def _holds(claim: Claim, root: Path) -> tuple[bool, str]:
    if claim.expectation == "interval_covers":
        low, high = _limits(claim.reads, root)
        return low <= float(claim.expected) <= high, f"[{low:.3g}, {high:.3g}] against {claim.expected:g}"
    values = _values(claim.reads, root)
    if claim.expectation == "defined":
        missing = sum(not _finite(value) for value in values)
        return (missing == 0) == bool(claim.expected), f"{missing} of {len(values)} values undefined"
    failed = [value for value in values if not _meets(claim, value)]
    shown = failed[0] if failed else max(values, key=lambda value: _strain(claim, value))
    text = f"{shown:.3g}" if _finite(shown) and not isinstance(shown, bool) else str(shown)
    return not failed, f"{text} ({_expectation(claim)}; {len(values) - len(failed)} of {len(values)} hold)"


def _expectation(claim: Claim) -> str:
    if claim.expectation == "within":
        return f"within {claim.expected['tolerance']} of {claim.expected['value']}"
    return f"{claim.expectation.replace('_', ' ')} {claim.expected}"


def _strain(claim: Claim, value: Any) -> float:
    """Return how near a value comes to breaking its claim: the larger, the nearer."""
    match claim.expectation:
        case "within":
            return abs(float(value) - float(claim.expected["value"]))
        case "at_least" | "above":
            return -float(value)
        case _:
            return 0.0


def _meets(claim: Claim, value: Any) -> bool:
    if claim.expectation == "equals":
        return bool(value == claim.expected)
    if not _finite(value):
        return False
    number = float(value)
    match claim.expectation:
        case "within":
            return abs(number - float(claim.expected["value"])) <= float(claim.expected["tolerance"])
        case "at_least":
            return number >= float(claim.expected)
        case _:
            return number > float(claim.expected)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _paths(reading: Reading, root: Path) -> list[Path]:
    found = [Path(name) for name in sorted(glob.glob(str(root / reading.file), recursive=True))]
    if not found:
        raise InputError(f"{reading.file}: no such file; run `snakemake --cores 4`")
    return found


def _values(reading: Reading, root: Path) -> list[Any]:
    """Return every number that the reading selects, at least one."""
    values: list[Any] = []
    for path in _paths(reading, root):
        if path.suffix == ".csv":
            rows = _rows(path, reading)
            if reading.column not in rows.columns:
                raise InputError(f"{path}: there is no column {reading.column!r}")
            values += rows[reading.column].tolist()
        else:
            values.append(_lookup(path, reading.key))
    if not values:
        raise InputError(f"{reading.file}: no row with {dict(reading.where)}")
    return values


def _limits(reading: Reading, root: Path) -> tuple[float, float]:
    """Return the widest limits of the intervals that the reading selects.

    Raises:
        InputError: a file is absent, or what it holds at the key is no interval with both limits.
    """
    found = []
    for path in _paths(reading, root):
        value = _lookup(path, reading.key)
        if not isinstance(value, dict) or not all(_finite(value.get(name)) for name in ("low", "high")):
            raise InputError(f"{path}: {reading.key!r} is no interval with low and high")
        found.append((float(value["low"]), float(value["high"])))
    return min(low for low, _ in found), max(high for _, high in found)


def _rows(path: Path, reading: Reading) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as a table ({error})") from error
    for column, value in reading.where.items():
        if column not in table.columns:
            raise InputError(f"{path}: there is no column {column!r}")
        table = table[table[column] == value]
    return table


def _lookup(path: Path, key: str) -> Any:
    """Return what a JSON file holds at a dotted key."""
    value = read_json(path)
    for part in filter(None, key.split(".")):
        if not isinstance(value, dict) or part not in value:
            raise InputError(f"{path}: there is no key {key!r}")
        value = value[part]
    return value
