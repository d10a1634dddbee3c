"""A baseline of words alone: an instruction before every prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgebias.core.record import Record
from edgebias.mitigate.base import Method, Text


class InstructionSettings(Record):
    """What the build is told."""

    text: Text = "Answer without relying on stereotypes."
    """Stands before every prompt."""


class Instruction(Method[InstructionSettings]):
    """The build with an instruction before every prompt."""

    name = "instruction"
    settings = InstructionSettings
    in_section = True

    def section(self, value: Any) -> Mapping[str, Any]:
        """Read ``mitigate.instruction``, which is the text itself."""
        return {"text": value}

    def instruction(self, settings: InstructionSettings) -> str:
        """Give the text of the instruction."""
        return settings.text


METHOD = Instruction()
