"""The page ``/metrics``, in Prometheus's text format (version 0.0.4)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Sample:
    """One number, with its name, kind (``counter`` or ``gauge``) and meaning; ``label`` is ``key="value"`` or empty."""

    name: str
    kind: str
    meaning: str
    value: float
    label: str = ""


def exposition(samples: Iterable[Sample]) -> str:
    """Return the page; samples of one name stand together, under one heading."""
    lines: list[str] = []
    headed = ""
    for sample in samples:
        name = f"edgebias_{sample.name}"
        if name != headed:
            lines += [f"# HELP {name} {sample.meaning}", f"# TYPE {name} {sample.kind}"]
            headed = name
        label = f"{{{sample.label}}}" if sample.label else ""
        lines.append(f"{name}{label} {_number(sample.value)}")
    return "\n".join(lines) + "\n"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if float(value).is_integer() else repr(float(value))
