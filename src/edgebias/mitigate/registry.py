"""The mitigation methods, and those that a study has chosen: a method with settings, under the label of its row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebias.core.errors import InputError
from edgebias.core.record import Record, near, path_of, show
from edgebias.core.registry import Registry
from edgebias.core.settings import value_of
from edgebias.mitigate.base import Artefacts, Method, Steering

if TYPE_CHECKING:
    from edgebias.backends.base import Backend
    from edgebias.mitigate.mitigated import Mitigated

METHODS: Registry[Method[Any]] = Registry("edgebias.mitigate.methods", "METHOD", Method, "method")

NONE = "none"
"""The method that every other is compared with."""

FEEDBACK_LOOP, OPEN_LOOP = "feedback_loop", "open_loop"

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class ChosenMethod:
    """A method as an entry of ``study.methods`` chooses it.

    Attributes:
        name: of the method.
        own: the settings that the entry gives; others come from ``mitigate.NAME`` or are at their defaults.
        label: of its row, its folder and its wildcard.
        steering: how it steers; None where it does not.
    """

    name: str
    own: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""
    steering: Steering | None = None

    @property
    def method(self) -> Method[Any]:
        """The method itself."""
        return METHODS.get(self.name)

    @property
    def entry(self) -> str | dict[str, Any]:
        """The entry of ``study.methods`` that chooses it."""
        return {"method": self.name, **self.own} if self.own else self.name

    @property
    def is_loop(self) -> bool:
        """Whether the feedback loop finds its gains."""
        return self.name == FEEDBACK_LOOP

    def wrap(self, loaded: Backend, settings: Mapping[str, Any], artefacts: Artefacts) -> Mitigated:
        """Put the method before a loaded build, under its settings.

        Raises:
            InputError: the backend cannot do it, or a setting or file is unusable or of another model.
        """
        return self.method.wrap(loaded, self.settings(settings), artefacts)

    def settings(self, settings: Mapping[str, Any]) -> Record:
        """Read its settings: those of the entry over those of ``mitigate.NAME`` in a stage's ``settings``.

        Raises:
            InputError: ``mitigate.NAME`` is absent where the method has such a section, or a value is bad.
        """
        method = self.method
        section = method.section(value_of(settings, f"mitigate.{self.name}", object)) if method.in_section else {}
        read: Record = method.read({**section, **self.own}, "--settings", ("mitigate", self.name))
        return read


def choose(entry: object, origin: str = "--method", where: Sequence[str | int] = ()) -> ChosenMethod:
    """Read one entry of ``study.methods``: the name of a method, or a mapping of ``method`` and its settings.

    Args:
        entry: as the parameter file has it.
        origin: the file or option that it comes from, for the message.
        where: keys that lead to it, for the message.

    Raises:
        InputError: the method or a key is unknown, or a value is of the wrong kind or out of range.
    """
    place = f"{origin}: {path_of(where)}" if where else origin
    values = {"method": entry} if isinstance(entry, str) else entry
    if not isinstance(values, Mapping) or not isinstance(values.get("method"), str):
        raise InputError(f"{place} is {show(entry)}; write a method's name, or {{method: open_loop, gain: 2}}")
    own = {str(key): value for key, value in values.items() if key != "method"}
    name, names = values["method"], METHODS.names()
    if name not in names:
        raise InputError(f"{place} is {show(name)}; {near(name, names)}allowed values: {', '.join(names)}")
    method = METHODS.get(name)
    settings = method.read(own, origin, where)
    label = method.label(settings)
    if not _LABEL.fullmatch(label):
        raise InputError(f"{place}: {show(label)} cannot name a folder; set this under mitigate.{name}")
    return ChosenMethod(name, own, label, method.steering(settings))


def choose_all(entries: Sequence[object], origin: str = "--settings") -> dict[str, ChosenMethod]:
    """Read ``study.methods``: the chosen methods by label, in the order of the list.

    Raises:
        InputError: an entry is bad, or two have one label.
    """
    chosen: dict[str, ChosenMethod] = {}
    for index, entry in enumerate(entries):
        where = ("study", "methods", index)
        found = choose(entry, origin, where)
        if found.label in chosen:
            raise InputError(f"{origin}: {path_of(where)} is {found.label} once more; leave one out")
        chosen[found.label] = found
    return chosen


def check_files(chosen: ChosenMethod, control_vector: Path | None, gate: Path | None) -> None:
    """Refuse a method without the files that it needs, or with one that it does not.

    Raises:
        InputError: they do not fit.
    """
    steering = chosen.steering
    for option, path, needed in (
        ("--control-vector", control_vector, steering is not None),
        ("--gate", gate, steering is not None and steering.gate is not None),
    ):
        if needed != (path is not None):
            way_out = "give it" if needed else "leave it out"
            raise InputError(f"{option}: {chosen.label} {'needs' if needed else 'takes no'} such file; {way_out}")


def frontier_gains(chosen: Mapping[str, ChosenMethod]) -> dict[str, float]:
    """Give the gains of the open loops that only their gain sets apart, by label, lowest first: the frontier."""
    gains = {
        label: found.steering.gain
        for label, found in chosen.items()
        if found.name == OPEN_LOOP
        and found.steering is not None
        and found.steering == Steering(gain=found.steering.gain)
    }
    return dict(sorted(gains.items(), key=lambda one: one[1]))
