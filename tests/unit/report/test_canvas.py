"""Series are told apart by colour and marker together, however many there are."""

from __future__ import annotations

import re

import pytest

from edgebias.report.canvas import COLOURS, MARKERS, new_canvas, new_grid, series, svg_text


def test_no_two_series_look_alike() -> None:
    looks = [tuple(series(position).values()) for position in range(len(COLOURS) * len(MARKERS))]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize(("count", "rows"), [(1, [1]), (4, [4]), (5, [3, 2]), (7, [4, 3]), (8, [4, 4])])
def test_a_grid_has_rows_of_at_most_four_and_hides_the_surplus(count: int, rows: list[int]) -> None:
    canvas, grid = new_grid(10.0, 2.0, count)
    assert [len(row) for row in grid] == rows
    assert sum(axes.axison for axes in canvas.axes) == count
    assert canvas.get_size_inches().tolist() == [10.0, 2.0 * len(rows)]


def drawn(nudge: float) -> str:
    canvas, (axes,) = new_canvas(3.0, 2.0, 1)
    axes.plot([0.0, 1.0 / 3.0 + nudge, 1.0], [0.0, 1.0, 2.0], marker="o")
    return svg_text(canvas)


@pytest.mark.slow
def test_a_figure_does_not_depend_on_digits_that_another_processor_rounds_otherwise() -> None:
    assert drawn(0.0) == drawn(1e-9)
    assert drawn(0.0) != drawn(1e-3)


def test_every_reference_within_a_figure_leads_to_an_id_of_its_own() -> None:
    text = drawn(0.0)
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    references = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    assert references
    assert references <= set(ids)
