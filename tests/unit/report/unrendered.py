"""Pages whose pictures nobody looks at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def unrendered() -> Iterator[None]:
    """Draw every figure and render none: matplotlib takes two thirds of a page's time to write ten pictures as SVG."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgebias.report.figures.svg_text", lambda canvas: "<svg/>")
        yield
