"""The vector at which the per-layer feedback loop came to rest (`edgebias.mitigate.steering.loop_fitting` runs it)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebias.core.record import Record
from edgebias.mitigate.base import OWN, SHARED, Artefacts, Method, Steering

if TYPE_CHECKING:
    from edgebias.backends.base import Backend
    from edgebias.mitigate.mitigated import Mitigated


class FeedbackLoopSettings(Record):
    """How the vector is used; the loop that finds it has its settings under ``mitigate``."""

    gated: bool = False
    """Judge, guard and steer through the gate."""


class FeedbackLoop(Method[FeedbackLoopSettings]):
    """The build, steered by what its loop found."""

    name = "feedback_loop"
    settings = FeedbackLoopSettings

    def label(self, settings: FeedbackLoopSettings) -> str:
        """Name the row: ``feedback_loop`` or ``gated_feedback_loop``."""
        return f"gated_{self.name}" if settings.gated else self.name

    def steering(self, settings: FeedbackLoopSettings) -> Steering:
        """Steer with the vector that the loop froze."""
        return Steering(vector=OWN, gate=SHARED if settings.gated else None)

    def wrap(self, loaded: Backend, settings: FeedbackLoopSettings, artefacts: Artefacts) -> Mitigated:
        """Load the vector into the build, and put the gate before it where there is one."""
        from edgebias.mitigate.steering.apply import steered

        return steered(loaded, self.steering(settings), artefacts)


METHOD = FeedbackLoop()
