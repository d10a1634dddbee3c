"""A baseline of the field: one direction in one block, found from all calibration items, at a gain of 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgebias.mitigate.base import Artefacts, Method, NoSettings, Steering

if TYPE_CHECKING:
    from edgebias.backends.base import Backend
    from edgebias.mitigate.mitigated import Mitigated


class SingleLayer(Method[NoSettings]):
    """The build, steered in one block."""

    name = "single_layer"

    def steering(self, settings: NoSettings) -> Steering:
        """Steer along directions of the source ``single_layer``."""
        return Steering(vector="single_layer")

    def wrap(self, loaded: Backend, settings: NoSettings, artefacts: Artefacts) -> Mitigated:
        """Load the vector into the build."""
        from edgebias.mitigate.steering.apply import steered

        return steered(loaded, self.steering(settings), artefacts)


METHOD = SingleLayer()
