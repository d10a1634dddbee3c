"""Series are told apart by colour and marker together, however many there are."""

from __future__ import annotations

from edgebias.report.canvas import COLOURS, MARKERS, series


def test_no_two_series_look_alike() -> None:
    looks = [tuple(series(position).values()) for position in range(len(COLOURS) * len(MARKERS))]
    assert len(set(looks)) == len(looks)
