"""What changed answers say beside a score, in the words of a study's page and of an audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.report.findings import ALPHA
from edgebias.report.numbers import brackets, number, p_value
from edgebias.score.flips import MANY


def remark(who: str, flips: Mapping[Any, Any], *, unseen: bool) -> str:
    """Return what a reader of the score could miss; empty where there is nothing to say.

    It is a direction beyond doubt, or many changed answers beside a score without a detectable difference. That is no
    proof of equal scores, and is not called so.

    Args:
        who: what was compared.
        flips: the fields of `edgebias.score.flips.Flips` by name.
        unseen: whether the interval of the difference of the score holds 0.
    """
    directed = flips["p_corrected"] < ALPHA
    if unseen and flips["low"] > MANY:
        changed = f"{number(flips['changed'])} % {brackets(flips['low'], flips['high'])}"
        told = (
            f"{who}: changed answers that the score does not show. No difference of it is detectable, but {changed} of "
            "the answers changed."
        )
    elif directed:
        told = f"{who}: the answers that changed have a direction."
    else:
        return ""
    towards, away = (number(flips[name]) for name in ("towards", "away"))
    if not flips["towards"] and not flips["away"]:
        return told
    beyond = f" (corrected {p_value(flips['p_corrected'])})" if directed else ""
    return f"{told} {towards} % went towards the stereotype, {away} % away from it{beyond}."
