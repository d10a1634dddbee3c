"""What a mitigation method is: its settings, the files that it needs, and how it stands before a build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from edgebias.core.record import Record, checked

if TYPE_CHECKING:
    import pandas as pd

    from edgebias.backends.base import Backend
    from edgebias.mitigate.mitigated import Mitigated
    from edgebias.suites.item import Item

OWN = "own"
"""A file that the method's own fit writes into the folder of its row."""

SHIPPED = "shipped"
"""The control vector that every loop of a study steers along: the mean of the directions of all folds."""

SHARED = "shared"
"""The gate of the build, which methods share."""


S = TypeVar("S", bound=Record)


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("custom", "a text that is not blank is needed")
    return text


Text = Annotated[str, AfterValidator(_not_blank)]
"""A text with words in it."""


class NoSettings(Record):
    """A method that can be set in no way."""


@dataclass(frozen=True)
class Steering:
    """How a method steers a build, and where its files come from.

    Attributes:
        vector: `SHIPPED`, `OWN`, or the source of directions that are found from all calibration items.
        build: the variant on which directions were found; None for the build that is steered.
        gate: `SHARED`, `OWN`, or None where every request is steered.
        gain: the vector is multiplied by it.
        equal_layers: each layer that is not zero first gets the same length, their total staying what it is.
    """

    vector: str = SHIPPED
    build: str | None = None
    gate: str | None = None
    gain: float = 1.0
    equal_layers: bool = False


@dataclass(frozen=True)
class Artefacts:
    """The files that a method is given.

    Attributes:
        weights: GGUF of the build.
        control_vector: what steers it; None of a method that does not steer.
        gate: what says which requests are steered; None where all are.
    """

    weights: Path
    control_vector: Path | None = None
    gate: Path | None = None


class Method(Generic[S]):
    """A mitigation method. A module below `edgebias.mitigate.methods`, or a plugin, names one ``METHOD``.

    Attributes:
        name: as parameter files say it; in this package the name of the module.
        settings: the class of its settings.
        in_section: its settings may also stand under ``mitigate.NAME``, for all its rows together.
        asks_model: without it the method answers by `answers` alone.
        scores_only: it scores options and writes nothing.
        chooses: what it makes of the scores of one text is no probability, so the method has no perplexity.
        reads_conversations: it can score an answer to a conversation.
        reads_hidden_states: the build has to show its block outputs.
    """

    name: ClassVar[str]
    settings: ClassVar[type[Record]] = NoSettings
    in_section: ClassVar[bool] = False
    asks_model: ClassVar[bool] = True
    scores_only: ClassVar[bool] = False
    chooses: ClassVar[bool] = False
    reads_conversations: ClassVar[bool] = True
    reads_hidden_states: ClassVar[bool] = False

    def label(self, settings: S) -> str:
        """Name the row, the folder and the wildcard of the method under ``settings``.

        Each setting that is not at its default is part of the name.
        """
        parts = [self.name]
        for name, field in type(settings).model_fields.items():
            value = getattr(settings, name)
            if value != field.get_default(call_default_factory=True):
                parts += [name, f"{value:g}" if isinstance(value, float) else str(value)]
        return "_".join(parts)

    def steering(self, settings: S) -> Steering | None:
        """Say how the method steers, and with which files; None where it does not."""
        return None

    def instruction(self, settings: S) -> str | None:
        """Give the text that stands before every prompt, or None."""
        return None

    def answers(self, items: Sequence[Item], formats: Sequence[str], seed: int) -> pd.DataFrame:
        """Answer without a model; only where ``asks_model`` is false."""
        raise NotImplementedError(f"{self.name} asks a model")

    def wrap(self, loaded: Backend, settings: S, artefacts: Artefacts) -> Mitigated:
        """Put the method before a loaded build.

        Raises:
            InputError: the backend cannot do it, or a file is unusable or of another model.
        """
        from edgebias.mitigate.mitigated import Mitigated

        return Mitigated(loaded, loaded)

    def section(self, value: Any) -> Mapping[str, Any]:
        """Read what stands under ``mitigate.NAME`` as settings.

        Raises:
            InputError: it is no mapping.
        """
        return checked(dict[str, Any], value, "--settings", ("mitigate", self.name))

    def read(self, values: Mapping[str, Any], origin: str, where: Sequence[str | int]) -> S:
        """Check ``values`` and complete them with defaults.

        Args:
            values: settings by name.
            origin: the file or option that they come from, for the message.
            where: keys that lead to them, for the message.

        Raises:
            InputError: a key is unknown, or a value is of the wrong kind or out of range.
        """
        settings: S = checked(self.settings, dict(values), origin, where)  # type: ignore[assignment]
        return settings
