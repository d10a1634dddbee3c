"""Format robustness on the page: what the tables say, and a study that was not asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from unrendered import unrendered

from edgebias.cli import command

pytestmark = pytest.mark.slow


def main(arguments: list[str]) -> None:
    """Write the numbers and the page of the study whose arguments ``study_writer`` gives."""
    *common, _, metrics, _, page = arguments
    command("report")([*common, "--metrics", metrics])
    command("page")([*common, "--page", page])


def section(root: Path) -> str:
    page = (root / "report/index.html").read_text(encoding="utf-8")
    found = re.search(r'<section id="robustness">.*?</section>', page, flags=re.DOTALL)
    assert found is not None
    return re.sub(r"data:image[^\"]*", "", found.group())


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, study_writer: Callable[[Path], list[str]]) -> Path:
    root = tmp_path_factory.mktemp("robust")
    with unrendered():
        main(study_writer(root))
    return root


def test_the_page_shows_shares_flips_places_and_levels_of_the_tables(written: Path) -> None:
    text = section(written)
    for caption in ("Shares of the variance", "Flips:", "Position bias", "What a study in one format alone"):
        assert caption in text
    flips = pd.read_csv(written / "robustness/flip_rates.csv")
    row = flips[flips["factor"] == "environment"].iloc[0]
    assert f"{row['estimate']:.3g}" in text
    assert "full in edge, desktop" in text  # without the model's name, since there is one
    assert 'id="figure-robustness"' in text


def test_a_study_that_was_asked_in_one_format_says_so(
    tmp_path: Path, study_writer: Callable[[Path], list[str]]
) -> None:
    arguments = study_writer(tmp_path)
    place = arguments.index("--settings") + 1
    settings = json.loads(arguments[place])
    settings["study"]["robustness"] = []
    arguments[place] = json.dumps(settings)
    with unrendered():
        main(arguments)
    assert "No cell was asked in every format." in section(tmp_path)
