"""A section of the page: what it shows, and how that is taken from the study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgebias.report.data import StudyData
from edgebias.report.figures import Drawing


def always(study: StudyData) -> bool:
    """Return true: most sections say themselves what a study lacks."""
    return True


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        anchor: the name of its template in ``templates/sections``, and its address on the page.
        title: its head.
        content: gives the variables of its template.
        drawings: its figures, in the order in which the template shows them.
        shown: whether the page of a study has it at all.
    """

    anchor: str
    title: str
    content: Callable[[StudyData], Mapping[str, Any]]
    drawings: tuple[Drawing, ...] = ()
    shown: Callable[[StudyData], bool] = always
