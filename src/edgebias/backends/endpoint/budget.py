"""What requests to a paid endpoint may cost, and where to stop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from edgebias.core.errors import InputError

MESSAGE_TOKENS = 16
"""Most tokens that a chat template puts around one message: roles, separators, the end of a turn."""

PROMPT_TOKENS = 64
"""Most tokens that it puts around all of them: a default system message, the opened turn of the assistant."""

ROUNDING = 1e-9
"""Sums of money are floating-point numbers: a budget may be met exactly in spite of their last digits."""


class OverBudgetError(InputError):
    """The next request could spend more than the budget allows."""


@dataclass(frozen=True)
class Spending:
    """What was paid, or may have to be: requests, tokens, and US dollars (None where no price is known)."""

    requests: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    usd: float | None = 0.0


@dataclass(frozen=True)
class Price:
    """What a model costs, in US dollars per million tokens."""

    prompt_usd_per_million: float
    generated_usd_per_million: float

    def usd(self, prompt_tokens: int, generated_tokens: int) -> float:
        """Return the price of one answer."""
        prompt = prompt_tokens * self.prompt_usd_per_million
        return (prompt + generated_tokens * self.generated_usd_per_million) / 1e6


@dataclass(frozen=True)
class Budget:
    """The most that may be spent over the life of a response store; None is no limit."""

    requests: int | None = None
    prompt_tokens: int | None = None
    generated_tokens: int | None = None
    usd: float | None = None

    @property
    def unlimited(self) -> bool:
        """Whether nothing is limited."""
        return all(getattr(self, field.name) is None for field in fields(self))

    def check(self, spent: Spending, following: Spending, store: object) -> None:
        """Refuse a request that could overspend, before it is sent.

        Args:
            spent: what was spent, and what requests that are not answered yet may cost.
            following: the most that the next request can cost.
            store: where the spending is kept, for the message.

        Raises:
            OverBudgetError: a limit would be exceeded; says what is spent, what the request may cost, what to raise.
        """
        for field in fields(self):
            limit = getattr(self, field.name)
            if limit is None:
                continue
            so_far, cost = getattr(spent, field.name) or 0, getattr(following, field.name) or 0
            if so_far + cost > limit * (1 + ROUNDING):
                raise OverBudgetError(
                    f"budget.{field.name}: {so_far:.10g} of {limit:.10g} are spent ({store}) and the next request may "
                    f"cost {cost:.10g}; raise budget.{field.name} of this environment in params.yaml and run again: "
                    "finished answers are in the store and are not paid again"
                )


def read_budget(environment: Mapping[str, Any]) -> Budget:
    """Return the ``budget`` of an entry of ``environments``.

    Raises:
        InputError: an unknown key, or a limit that is no number above 0 (a whole one, but for ``usd``).
    """
    given = _mapping(environment, "budget")
    _known(given, "budget", [field.name for field in fields(Budget)])
    for name, limit in given.items():
        whole = isinstance(limit, int) and not isinstance(limit, bool)
        if not (whole or (name == "usd" and isinstance(limit, float) and math.isfinite(limit))) or limit <= 0:
            kind = "number" if name == "usd" else "whole number"
            raise InputError(f"budget.{name}: a {kind} above 0 is needed, not {limit!r}; leave it out for no limit")
    return Budget(**given)


def read_price(environment: Mapping[str, Any], model: str) -> Price | None:
    """Return the price of ``model`` in the ``prices`` of an entry of ``environments``; None where it has none.

    Raises:
        InputError: the price is incomplete, has an unknown key, or is no number of at least 0.
    """
    prices = _mapping(environment, "prices")
    if model not in prices:
        return None
    price = _mapping(prices, model, "prices.")
    names = [field.name for field in fields(Price)]
    _known(price, f"prices.{model}", names)
    for name in names:
        value = price.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise InputError(f"prices.{model}.{name}: a number of at least 0 is needed, not {value!r}; set it")
    return Price(**{name: float(price[name]) for name in names})


def highest_cost(messages: Sequence[Mapping[str, str]], max_tokens: int, price: Price | None) -> Spending:
    """Return the most that one request can cost.

    No tokeniser of a chat model makes more tokens of a text than it has bytes in UTF-8 (byte-level and byte-fallback
    vocabularies both end at single bytes). What the template adds is bounded by `MESSAGE_TOKENS` and `PROMPT_TOKENS`,
    which is a guess: the endpoint's own count replaces it as soon as there is one.
    """
    texts = sum(len(value.encode("utf-8")) for message in messages for value in message.values())
    prompt = texts + MESSAGE_TOKENS * len(messages) + PROMPT_TOKENS
    return Spending(1, prompt, max_tokens, None if price is None else price.usd(prompt, max_tokens))


def _mapping(values: Mapping[str, Any], name: str, where: str = "") -> dict[str, Any]:
    value = values.get(name) or {}
    if not isinstance(value, dict):
        raise InputError(f"{where}{name}: a mapping is needed, not {value!r}; see docs/reference/environments.md")
    return value


def _known(values: Mapping[str, Any], where: str, allowed: Sequence[str]) -> None:
    unknown = sorted(values.keys() - set(allowed))
    if unknown:
        raise InputError(f"{where}: unknown key {unknown[0]!r}; allowed keys: {', '.join(allowed)}")
