"""The excess taken apart on the page: what the sentence, the tables and the waterfall say of known parts."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from edgebias.report.canvas import svg_text
from edgebias.report.figures import styled
from edgebias.report.sections.decomposition import decomposition_tables, draw, sentence, told

NAN = math.nan
PARTS = {"build": -4.0, "environment": 1.0, "model": 9.0}


def rows(
    form: str = "likelihood", reference: str = "desktop/large/full", base: float = 50.0, **changes: Any
) -> list[dict[str, Any]]:
    """An excess of six points over ``base``, in points and per cent, each component with two points around it."""
    points = {"reference": base, "edge": base + 6.0, "excess": 6.0, **PARTS}
    relative = {name: 100.0 * value / base for name, value in points.items() if name not in ("reference", "edge")}
    fixed = {"edge_cell": "edge/small/pruned", "reference_cell": reference, "suite": "forced_choice", "format": form}
    return [
        {
            **fixed,
            **{"metric": "stereotype_rate", "unit": unit, "component": name, "estimate": value},
            **{"low": value - 2.0, "high": value + 2.0, "n_orders": 6, "n_items": 72, "n_clusters": 72},
            **{"order_low": value - (name == "model"), "order_high": value, "coverage": 0.75, "reason": ""},
            **changes,
        }
        for unit, components in (("points", points), ("percent", relative))
        for name, value in components.items()
    ]


def test_the_sentence_states_the_papers_number_and_its_parts() -> None:
    said = sentence(rows())
    assert "edge small pruned" in said
    assert "desktop large full" in said
    assert "+12 % [10, 14]" in said
    assert "+18 % [16, 20] for the model" in said
    assert "−8.00 % [−10, −6.00] for the build" in said
    assert said.startswith("As in the paper, another model runs in each environment. The stereotype rate of")
    assert said.endswith("of these, only model and build can be told from 0.")


@pytest.mark.parametrize(
    ("width", "said"), [(0.5, "each part can be told from 0"), (20.0, "no part can be told from 0")]
)
def test_what_can_be_told_from_nothing_follows_from_the_intervals(width: float, said: str) -> None:
    some = [row | {"low": row["estimate"] - width, "high": row["estimate"] + width} for row in rows()]
    assert sentence(some).endswith(f"; {said}.")


def test_of_one_model_the_sentence_says_nothing_of_other_models() -> None:
    """A study of one model in all environments splits its excess into build and environment."""
    said = sentence([row for row in rows() if row["component"] != "model"])
    assert said.startswith("The stereotype rate of edge small pruned")
    assert "model" not in said


def test_without_a_ratio_the_sentence_states_points() -> None:
    one = [row | ({"low": NAN, "high": NAN, "estimate": NAN} if row["unit"] == "percent" else {}) for row in rows()]
    assert "+6.00 points [4.00, 8.00]" in sentence(one)
    assert "%" not in sentence(one)


def test_each_reference_is_told_once_in_the_best_format() -> None:
    """The best is the one that most references have; without such a one, the first."""
    desktop, cloud = [*rows("letter"), *rows("likelihood")], "cloud/larger/full"
    alike = told([*desktop, *rows("letter", cloud)])
    assert [(one.reference, one.form) for one in alike] == [("desktop/large/full", "letter"), (cloud, "letter")]
    assert [one.form for one in told(desktop)] == ["likelihood"]


def test_too_few_answers_and_nothing_asked_are_two_things() -> None:
    assert sentence([]) == ""
    assert "undefined" in sentence(rows(low=NAN, high=NAN))


def test_tables_show_parts_their_orders_and_what_was_usable() -> None:
    points, relative = decomposition_tables(rows())
    (row,) = points.rows
    named = dict(zip(points.heads, row, strict=True))
    assert named["Excess [low, high]"] == "+6.00 [4.00, 8.00]"
    assert named["Model [low, high] (by order)"] == "+9.00 [7.00, 11] (+8.00 to +9.00)"
    assert named["Build [low, high] (by order)"] == "−4.00 [−6.00, −2.00]"
    assert (named["Orders"], named["Usable"]) == ("6", "75.0 %")
    assert relative.rows[0][4].startswith("+12 [10")
    assert decomposition_tables([]) == ()


@pytest.mark.slow
def test_the_waterfall_ends_where_the_edge_build_is() -> None:
    """The bars start at the reference's 50 % and, part by part, end at the edge build's 56 %."""
    with styled():
        canvas = draw(rows(base=55.0))
        assert canvas is not None
        (axes,) = canvas.axes
        ends = [round(bar.get_x() + bar.get_width(), 6) for bar in axes.patches]
        starts = [round(bar.get_x(), 6) for bar in axes.patches]
        assert ends == [55.0, 64.0, 60.0, 61.0, 61.0]
        assert starts == [50.0, 55.0, 64.0, 60.0, 50.0]
        assert re.search(r"<svg", svg_text(canvas))


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw([]) is None


@pytest.mark.parametrize("missing", ["low", "estimate"])
def test_an_undefined_part_is_no_fault(missing: str) -> None:
    """A cell without usable answers leaves a part undefined; the page is written all the same."""
    some = [
        row | ({missing: NAN, "reason": "no usable answer"} if row["component"] == "build" else {}) for row in rows()
    ]
    with styled():
        assert draw(some) is not None
    assert "for the build" in sentence(some)
    assert decomposition_tables(some)
