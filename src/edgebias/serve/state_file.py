"""The online loop's state on disk, so that a server that is started again goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.core.files import read_json, write_json
from edgebias.serve.online import OnlineState

WAY_OUT = "delete the file to begin anew, or name another one"


def write_state(state: OnlineState, identity: Mapping[str, Any], path: Path) -> None:
    """Write ``state`` and what it belongs to as JSON, atomically; an output is a 1 (stereotype) or a 0."""
    outputs = "".join("1" if output else "0" for output in state.outputs)
    write_json({"identity": dict(identity), "state": asdict(state) | {"outputs": outputs}}, path)


def read_state(path: Path, identity: Mapping[str, Any]) -> OnlineState | None:
    """Return the state in ``path``; None where there is no such file yet.

    Args:
        path: what `write_state` wrote.
        identity: model, vector and settings of this server: a state of others would mean other gains.

    Raises:
        InputError: the file is broken or belongs to another model, vector or setting.
    """
    if not path.exists():
        return None
    content = read_json(path)
    names = {field.name for field in fields(OnlineState)}
    if not isinstance(content, dict) or not isinstance(content.get("identity"), dict):
        raise InputError(f"{path}: no state of the online loop; {WAY_OUT}")
    for key, value in identity.items():
        if content["identity"].get(key) != value:
            raise InputError(f"{path}: its {key} is {content['identity'].get(key)!r}, not {value!r}; {WAY_OUT}")
    values = content.get("state")
    if not isinstance(values, dict) or set(values) != names:
        raise InputError(f"{path}: its state does not have the keys {sorted(names)}; {WAY_OUT}")
    try:
        return OnlineState(
            gain=float(values["gain"]),
            integral=float(values["integral"]),
            outputs=tuple(bool(int(output)) for output in values["outputs"]),
            judged=int(values["judged"]),
            wanted=float(values["wanted"]),
            low=float(values["low"]),
            high=float(values["high"]),
            low_closed=bool(values["low_closed"]),
            high_closed=bool(values["high_closed"]),
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: its state cannot be read ({error}); {WAY_OUT}") from error
