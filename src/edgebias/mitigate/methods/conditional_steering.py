"""Conditional activation steering (CAST), a gated method of the field, as a baseline.

Lee et al., ICLR 2025, arXiv 2409.05907: its own vector, and a condition on the running hidden state.
`edgebias.mitigate.steering.conditional_fitting` fits both on calibration items.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from edgebias.core.record import ListOf, Record
from edgebias.mitigate.base import OWN, Artefacts, Method, Steering

if TYPE_CHECKING:
    from edgebias.backends.base import Backend
    from edgebias.backends.local.llama_engine import LlamaBackend
    from edgebias.mitigate.mitigated import Mitigated
    from edgebias.mitigate.steering.gated_backend import RequestGate


class ConditionalSteeringSettings(Record):
    """The strengths among which calibration items choose."""

    strengths: ListOf[Annotated[float, Field(gt=0)]] = Field(default=(1.0, 2.0, 4.0, 8.0), min_length=1)
    """Lengths of the behaviour vector, per cent of the residual norm of each block that gets it. The one is taken whose
    pass over calibration items is nearest the ideal within perplexity_budget."""


class ConditionalSteering(Method[ConditionalSteeringSettings]):
    """The build, steered for requests that meet the condition."""

    name = "conditional_steering"
    settings = ConditionalSteeringSettings
    in_section = True
    reads_hidden_states = True

    def steering(self, settings: ConditionalSteeringSettings) -> Steering:
        """Steer with a vector and a condition of its own."""
        return Steering(vector=OWN, gate=OWN)

    def wrap(self, loaded: Backend, settings: ConditionalSteeringSettings, artefacts: Artefacts) -> Mitigated:
        """Put the condition before the build, with the vector behind it."""
        from edgebias.mitigate.steering.apply import steered

        return steered(loaded, self.steering(settings), artefacts, _activation_gate)


def _activation_gate(path: Path, weights: Path, build: LlamaBackend) -> RequestGate:
    from edgebias.mitigate.steering.activation_condition import open_activation_gate

    return open_activation_gate(path, build)


METHOD = ConditionalSteering()
