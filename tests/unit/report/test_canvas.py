"""Series are told apart by colour and marker together, however many there are."""

from __future__ import annotations

import pytest

from edgebias.report.canvas import COLOURS, MARKERS, new_grid, series


def test_no_two_series_look_alike() -> None:
    looks = [tuple(series(position).values()) for position in range(len(COLOURS) * len(MARKERS))]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize(("count", "rows"), [(1, [1]), (4, [4]), (5, [3, 2]), (7, [4, 3]), (8, [4, 4])])
def test_a_grid_has_rows_of_at_most_four_and_hides_the_surplus(count: int, rows: list[int]) -> None:
    canvas, grid = new_grid(10.0, 2.0, count)
    assert [len(row) for row in grid] == rows
    assert sum(axes.axison for axes in canvas.axes) == count
    assert canvas.get_size_inches().tolist() == [10.0, 2.0 * len(rows)]
