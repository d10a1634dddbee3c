"""The registry of suites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgebias.metrics.metric import Family
from edgebias.suites.bbq import items as bbq
from edgebias.suites.bold import items as bold
from edgebias.suites.counterfactual import items as counterfactual
from edgebias.suites.crows_pairs import items as crows_pairs
from edgebias.suites.forced_choice import items as forced_choice
from edgebias.suites.item import Item
from edgebias.suites.stereoset import items as stereoset
from edgebias.suites.winobias import items as winobias
from edgebias.suites.winogender import items as winogender


def families() -> dict[str, Family]:
    """The metric family of each suite."""
    from edgebias.suites.bbq.metrics import FAMILY as BBQ
    from edgebias.suites.bold.metrics import FAMILY as BOLD
    from edgebias.suites.counterfactual.metrics import FAMILY as COUNTERFACTUAL
    from edgebias.suites.crows_pairs.metrics import FAMILY as CROWS_PAIRS
    from edgebias.suites.forced_choice.metrics import FAMILY as FORCED_CHOICE
    from edgebias.suites.stereoset.metrics import FAMILY as STEREOSET
    from edgebias.suites.winobias.metrics import FAMILY as WINOBIAS
    from edgebias.suites.winogender.metrics import FAMILY as WINOGENDER

    return {
        family.suite: family
        for family in (BBQ, STEREOSET, CROWS_PAIRS, WINOBIAS, WINOGENDER, FORCED_CHOICE, BOLD, COUNTERFACTUAL)
    }


@dataclass(frozen=True)
class Suite:
    """How a suite is loaded, its conditions, and those drawn where the settings name none (None: all).

    ``matched``: items of a cluster come in sets of this size, and a part of a set measures nothing.
    """

    load: Callable[[Path], list[Item]]
    conditions: tuple[str, ...]
    default_conditions: tuple[str, ...] | None = None
    matched: int = 1


LOADERS: dict[str, Suite] = {
    "bbq": Suite(bbq.load, bbq.CONDITIONS),
    "stereoset": Suite(stereoset.load, stereoset.CONDITIONS, ("intrasentence",)),
    "crows_pairs": Suite(crows_pairs.load, crows_pairs.CONDITIONS),
    "winobias": Suite(winobias.load, winobias.CONDITIONS),
    "winogender": Suite(winogender.load, winogender.CONDITIONS),
    "forced_choice": Suite(forced_choice.load, forced_choice.CONDITIONS),
    "bold": Suite(bold.load, bold.CONDITIONS),
    "counterfactual": Suite(counterfactual.load, counterfactual.CONDITIONS, matched=2),
}
