"""The declaration of a table, and the checks that follow from it.

A column is one `Column`: name, type, meaning, rule. Its pandera check, its parquet type, its line in the documentation
and its field in the Croissant file are all made from that one entry. Nothing here imports pandera, pandas or pyarrow
before a table is checked or written: pandera alone takes a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgebias.core.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow

Kind = Literal["str", "int", "float", "list[str]", "list[int]", "list[float]"]

_MEMBER: dict[str, type] = {"list[str]": str, "list[int]": Integral, "list[float]": Real}

NOISE = 1e-9
"""How far a float may overstep a bound: a formula's limits can be off by rounding; files keep 6 decimals."""


@dataclass(frozen=True)
class Rule:
    """What each value of a column (each member, where a value is a list) must be.

    ``says`` completes the sentence "must be ..."; a missing value never reaches ``holds``.
    """

    says: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: in the file.
        kind: type of a value; whole numbers and floats have 64 bits.
        meaning: one line of documentation, with the unit.
        rule: what its values must be beyond their type.
        undefined: whether NaN may stand for what is not defined.
        unique: whether no value may occur twice.
    """

    name: str
    kind: Kind
    meaning: str
    rule: Rule | None = None
    undefined: bool = False
    unique: bool = False


@dataclass(frozen=True)
class Relation:
    """What the columns of each row must be to one another.

    ``says`` completes the sentence "a row must have ..."; ``holds`` maps a table to one bool a row.
    """

    says: str
    columns: tuple[str, ...]
    holds: Callable[[pd.DataFrame], pd.Series[bool]]


@dataclass(frozen=True)
class Table:
    """A kind of table.

    Attributes:
        name: as messages and the documentation call it.
        meaning: what one row is.
        path: where its files are, relative to the study's folder, with ``{placeholders}``.
        columns: in the order of the file.
        order: the columns that its rows are sorted by.
        relations: rules between columns.
    """

    name: str
    meaning: str
    path: str
    columns: tuple[Column, ...]
    order: tuple[str, ...]
    relations: tuple[Relation, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    def schema(self, *, rules: bool = True, among: Iterable[str] | None = None) -> Any:
        """Return the pandera ``DataFrameSchema`` of the table.

        Args:
            rules: whether it checks the values, or their types alone.
            among: check only the columns that are among these, in any order; None: all, in order, and no other.
        """
        import pandera.pandas as pa

        names = set(self.names if among is None else among)
        return pa.DataFrameSchema(
            {column.name: _pandera_column(column, rules) for column in self.columns if column.name in names},
            checks=[
                pa.Check(relation.holds, error=relation.says, ignore_na=False)
                for relation in self.relations
                if rules and names.issuperset(relation.columns)
            ],
            strict=among is None,
            ordered=among is None,
            name=self.name,
            description=self.meaning,
        )

    def arrow_schema(self) -> pyarrow.Schema:
        """Return the parquet types of the table, which an empty table or a column of empty lists cannot show."""
        import pyarrow as pa

        plain = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
        types = plain | {f"list[{kind}]": pa.list_(member) for kind, member in plain.items()}
        return pa.schema([(column.name, types[column.kind]) for column in self.columns])

    def check(self, table: pd.DataFrame, place: str | Path, way_out: str = "") -> None:
        """Check a whole table before it is written: its columns in order, their types and their rules.

        Raises:
            InputError: names ``place``, the first row and column that break the declaration, and ``way_out``.
        """
        self._check_columns(table, place, way_out)
        if len(table):  # no type can be told from no values; the parquet schema gives an empty file its types
            self._validate(self.schema(), table, place, way_out)

    def check_types(self, table: pd.DataFrame, place: str | Path, way_out: str = "") -> None:
        """Check the types of those declared columns that a table has; for readers of some columns.

        Raises:
            InputError: as `check`.
        """
        if len(table):
            self._validate(self.schema(rules=False, among=table.columns), table, place, way_out)

    def check_values(self, table: pd.DataFrame, place: str | Path, way_out: str = "") -> None:
        """Check types and rules of those declared columns that a table has; for readers of some columns.

        Raises:
            InputError: as `check`.
        """
        if len(table):
            self._validate(self.schema(among=table.columns), table, place, way_out)

    def write(self, table: pd.DataFrame, path: Path) -> None:
        """Check ``table``, then write it, sorted by ``order``, as parquet or CSV by the suffix of ``path``.

        Raises:
            InputError: the table breaks its declaration; nothing is written.
        """
        from edgebias.core.files import atomic, write_csv

        self.check(table, path)
        if path.suffix == ".csv":
            write_csv(table, path, self.order)
            return
        ordered = table.sort_values(list(self.order), kind="stable", ignore_index=True)
        with atomic(path) as temporary:
            ordered.to_parquet(temporary, index=False, compression="zstd", schema=self.arrow_schema())

    def _check_columns(self, table: pd.DataFrame, place: str | Path, way_out: str) -> None:
        names = tuple(str(name) for name in table.columns)
        if names == self.names:
            return
        missing = [name for name in self.names if name not in names]
        strange = [name for name in names if name not in self.names]
        if missing:
            raise InputError(f"{place}: column {missing[0]!r} of the {self.name} table is missing{way_out}")
        if strange:
            raise InputError(f"{place}: the {self.name} table declares no column {strange[0]!r}{way_out}")
        raise InputError(f"{place}: columns stand in the order {list(names)}, not {list(self.names)}{way_out}")

    def _validate(self, schema: Any, table: pd.DataFrame, place: str | Path, way_out: str) -> None:
        import pandera.errors

        numbered = table.reset_index(drop=True)
        try:
            schema.validate(numbered, lazy=True)
        except pandera.errors.SchemaErrors as error:
            raise InputError(f"{place}: {self._fault(error.failure_cases, numbered)}{way_out}") from error

    def _fault(self, cases: pd.DataFrame, table: pd.DataFrame) -> str:
        """Return the first of pandera's failure cases in one line, with the number of further rows that share its
        cause.
        """
        # a value that breaks its own rule often breaks a relation, too; the former says more
        first = cases.sort_values("schema_context", key=lambda context: context != "Column", kind="stable").iloc[0]
        check, column = str(first["check"]), str(first["column"])
        kind = next((entry.kind for entry in self.columns if entry.name == column), "")
        if check.startswith("dtype"):
            return f"column {column!r} holds {first['failure_case']}, where {kind} is needed"
        alike = cases[(cases["check"] == first["check"]) & (cases["column"] == first["column"])]
        rows = sorted({int(row) for row in alike["index"].dropna()})
        where = f"row {rows[0]}" if rows else "a row"
        if rows and "item_id" in table.columns and column != "item_id":
            where += f" ({table['item_id'].iloc[rows[0]]!r})"
        more = f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
        if first["schema_context"] != "Column":
            return f"{where}{more} must have {check}"
        value = f"{table[column].iloc[rows[0]]!r}" if rows else f"{first['failure_case']!r}"
        says = {"not_nullable": "must have a value", "field_uniqueness": "must not occur twice"}
        return f"{where}{more}: column {column!r} is {value}; it {says.get(check, check)}"


def one_of(values: Iterable[str]) -> Rule:
    """Allow one of these words."""
    words = tuple(values)
    return Rule(f"one of {', '.join(words)}", lambda value: value in words)


def at_least(bound: float) -> Rule:
    """Allow a number that is not below ``bound``."""
    return Rule(f"at least {bound:g}", lambda value: bool(value >= bound))


def at_most(bound: float) -> Rule:
    """Allow a number that is not above ``bound``; NaN is none."""
    return Rule(f"at most {bound:g}", lambda value: bool(value <= bound))


def between(low: float, high: float) -> Rule:
    """Allow a number from ``low`` to ``high``."""
    return Rule(f"from {low:g} to {high:g}", lambda value: bool(low - NOISE <= value <= high + NOISE))


FILLED = Rule("a text that is not empty", lambda value: value != "")


def ascending(*columns: str) -> Relation:
    """Demand that no number of a row is above the next of these columns; NaN is above nothing."""

    def holds(table: pd.DataFrame) -> pd.Series[bool]:
        import pandas as pd

        fine = pd.Series(True, index=table.index)
        for lower, upper in pairwise(columns):
            fine &= ~(table[lower] > table[upper] + NOISE)
        return fine

    return Relation(f"{' <= '.join(columns)}", columns, holds)


def _pandera_column(column: Column, rules: bool) -> Any:
    import pandera.pandas as pa

    rule = column.rule
    checks = []
    if column.kind.startswith("list"):
        member = _MEMBER[column.kind]
        checks.append(
            pa.Check(lambda value: _is_list_of(value, member), element_wise=True, error=f"must be a {column.kind}")
        )
        if rules and rule is not None:
            # a value that is no list has been refused by the check above; this one must not fall over it
            checks.append(
                pa.Check(
                    lambda value: not _is_list_of(value, member) or all(rule.holds(each) for each in value),
                    element_wise=True,
                    error=f"must be a list, each member {rule.says}",
                )
            )
    elif rules and rule is not None:
        checks.append(pa.Check(rule.holds, element_wise=True, error=f"must be {rule.says}"))
    types = {"str": str, "int": "int64", "float": "float64"}
    return pa.Column(
        types.get(column.kind, object),
        checks,
        nullable=column.undefined,
        unique=rules and column.unique,
        description=column.meaning,
    )


def _is_list_of(value: Any, member: type) -> bool:
    # pandas reads a parquet list as a numpy array
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return False
    return all(isinstance(each, member) for each in value)
