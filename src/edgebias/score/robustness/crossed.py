"""Robustness responses as arrays: one axis for items, one for each factor."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from edgebias.core.arrays import FloatArray, IntArray, StrArray
from edgebias.core.errors import InputError
from edgebias.metrics.answers import ANTI_STEREOTYPE, STEREOTYPE, UNKNOWN

ROLES = (STEREOTYPE, ANTI_STEREOTYPE, UNKNOWN)
"""The roles of the options, in the order of the last axis of `Crossed.probabilities`."""

SHAPE_FACTORS = ("option order", "template", "unknown wording")
ITEM_COLUMNS = ("item_id", "category", "cluster", "roles")
RESPONSE_COLUMNS = ("item_id", "permutation", "template", "option_logprobs", "unknown_wording")


@dataclass(frozen=True)
class Crossed:
    """The answers of one cell to the whole design.

    ``orders`` are the orders of roles as shown, the level of the factor "option order": it must not depend on the
    order in which an item happens to list its options.
    """

    categories: StrArray
    clusters: StrArray
    orders: tuple[tuple[int, ...], ...]
    templates: tuple[str, ...]
    wordings: tuple[str, ...]
    probabilities: FloatArray
    """Shape (items, orders, templates, wordings, roles): of each role's letter among the letters; sums to 1."""
    letter_mass: FloatArray
    """Shape (items, orders, templates, wordings): the probability that what is written first is one of the letters."""

    def choices(self) -> IntArray:
        """Index into `ROLES` of the letter of the largest probability, the first role on ties."""
        return np.asarray(self.probabilities.argmax(axis=-1), dtype=np.int64)

    def shown(self) -> FloatArray:
        """Return the probabilities by place on the page instead of by role."""
        return np.stack(
            [self.probabilities[:, level][..., list(order)] for level, order in enumerate(self.orders)], axis=1
        )


def read_crossed(
    items: pd.DataFrame, responses: pd.DataFrame, *, items_name: str | Path, responses_name: str | Path
) -> Crossed:
    """Arrange the responses of a cell.

    Raises:
        InputError: a response without an item, an item without the three roles, a log-probability that is not one, a
            combination that occurs twice, or an incomplete design.
    """
    table = responses[list(RESPONSE_COLUMNS)].merge(items[list(ITEM_COLUMNS)], on="item_id", how="left")
    orphan = table["roles"].isna()
    if orphan.any():
        raise InputError(f"{responses_name}: item {table['item_id'][orphan].iloc[0]!r} is not in {items_name}")
    bad = [sorted(roles) != sorted(ROLES) for roles in table["roles"]]
    if any(bad):
        raise InputError(f"{items_name}: item {table['item_id'][bad].iloc[0]!r} needs one option of each of {ROLES}")
    logprobs = np.asarray(table["option_logprobs"].tolist(), dtype=np.float64)
    if logprobs.shape != (len(table), len(ROLES)) or not np.all(logprobs <= 0.0):
        raise InputError(f"{responses_name}: a log-probability of a letter is absent, NaN or above 0; run it again")
    place = np.asarray([[list(roles).index(role) for role in ROLES] for roles in table["roles"]])
    by_role = np.take_along_axis(np.exp(logprobs), place, axis=1)
    role_shown = [
        tuple(ROLES.index(roles[option]) for option in order)
        for roles, order in zip(table["roles"], table["permutation"], strict=True)
    ]
    levels = [_codes(table["item_id"]), _codes(role_shown), _codes(table["template"]), _codes(table["unknown_wording"])]
    shape = tuple(len(names) for names, _ in levels)
    flat = np.ravel_multi_index(tuple(codes for _, codes in levels), shape)
    if len(np.unique(flat)) != len(flat) or len(flat) != np.prod(shape):
        raise InputError(
            f"{responses_name}: {len(flat)} answers do not fill a design of {' x '.join(map(str, shape))} "
            "(items, orders, templates, wordings) once each; run the robustness stage again"
        )
    arranged = np.empty((len(flat), len(ROLES)))
    arranged[flat] = by_role
    arranged = arranged.reshape(*shape, len(ROLES))
    mass = arranged.sum(axis=-1)
    first = table.drop_duplicates("item_id").set_index("item_id").loc[list(levels[0][0])]
    return Crossed(
        categories=first["category"].to_numpy(dtype=np.str_),
        clusters=first["cluster"].to_numpy(dtype=np.str_),
        orders=tuple(levels[1][0]),
        templates=tuple(levels[2][0]),
        wordings=tuple(levels[3][0]),
        probabilities=arranged / mass[..., None],
        letter_mass=mass,
    )


def _codes(values: Iterable[Any]) -> tuple[list[Any], IntArray]:
    """Return the different values (strings, or orders) in order, and the place of each value among them."""
    values = list(values)
    names = sorted(set(values))
    position = {name: place for place, name in enumerate(names)}
    return names, np.asarray([position[value] for value in values], dtype=np.int64)
