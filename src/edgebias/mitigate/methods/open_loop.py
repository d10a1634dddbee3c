"""The vectors of a study at a fixed gain, without a loop: one point of the frontier of bias and utility."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from edgebias.core.record import Record
from edgebias.mitigate.base import SHARED, Artefacts, Method, Steering

if TYPE_CHECKING:
    from edgebias.backends.base import Backend
    from edgebias.mitigate.mitigated import Mitigated


class OpenLoopSettings(Record):
    """How the vectors are used."""

    gain: float = Field(default=1.0, gt=0)
    """The vectors are multiplied by it."""
    equal_layers: bool = False
    """Give every steered layer the same length first."""
    gated: bool = False
    """Steer only requests for which the gate opens."""
    build: str | None = Field(default=None, min_length=1)
    """Variant on which the vectors were found."""


class OpenLoop(Method[OpenLoopSettings]):
    """The build, steered at a fixed gain."""

    name = "open_loop"
    settings = OpenLoopSettings

    def label(self, settings: OpenLoopSettings) -> str:
        """Name the row, such as ``gated_open_loop_at_2`` or ``open_loop_from_full``."""
        return "".join(
            [
                "gated_" if settings.gated else "",
                "equal_layers_" if settings.equal_layers else "",
                self.name,
                f"_from_{settings.build}" if settings.build is not None else "",
                f"_at_{settings.gain:g}" if settings.gain != 1.0 else "",
            ]
        )

    def steering(self, settings: OpenLoopSettings) -> Steering:
        """Steer along the study's directions, as the settings say."""
        return Steering(
            build=settings.build,
            gate=SHARED if settings.gated else None,
            gain=settings.gain,
            equal_layers=settings.equal_layers,
        )

    def wrap(self, loaded: Backend, settings: OpenLoopSettings, artefacts: Artefacts) -> Mitigated:
        """Load the vector into the build, and put the gate before it where there is one."""
        from edgebias.mitigate.steering.apply import steered

        return steered(loaded, self.steering(settings), artefacts)


METHOD = OpenLoop()
