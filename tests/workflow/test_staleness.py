"""The table of docs/reference/staleness.md: what an edit of a typical place makes stale."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml

from edgebias.core import code_hash
from edgebias.core.code_hash import PACKAGE
from edgebias.core.parsed import parsed
from edgebias.study import Study, read_study
from edgebias.workflow.dvc import CODE_FOLDER

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "staleness.md"
ROW = re.compile(r"^\| (?P<edit>[^|]+) \| (?P<stale>[^|]+) \|$", re.MULTILINE)

Edit = Callable[[Path], None]


def appended(*names: str) -> Edit:
    """An edit of code: a new constant at the end of each file."""

    def edit(package: Path) -> None:
        for name in names:
            path = package / name
            assert path.exists(), f"{name} is no more: choose another place for the table"
            path.write_text(path.read_text(encoding="utf-8") + "\nEDITED = True\n", encoding="utf-8")

    return edit


def prose(package: Path) -> None:
    """Docstrings and comments of every module change, and the help of every option."""
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text("# A comment.\n" + re.sub(r'^(\s*)"""(?=\w)', r'\1"""Edited: ', text, flags=re.MULTILINE))
    for path in (package / "stages").glob("*.py"):
        path.write_text(path.read_text(encoding="utf-8").replace('help="', 'help="edited: '))


def new_suite(package: Path) -> None:
    """A folder beside the others that no study names."""
    shutil.copytree(package / "suites" / "winogender", package / "suites" / "another")


EDITS: dict[str, Edit] = {
    "docstrings, comments and help of every module": prose,
    "a new suite, not yet in a study": new_suite,
    "`report/templates/page.html`": appended("report/templates/page.html"),
    "`mitigate/card.py`": appended("mitigate/card.py"),
    "`suites/winobias/metrics.py`": appended("suites/winobias/metrics.py"),
    "`suites/winobias/items.py`": appended("suites/winobias/items.py"),
    "`suites/errata.csv`": appended("suites/errata.csv"),
    "`backends/endpoint/retry.py`": appended("backends/endpoint/retry.py"),
    "`mitigate/methods/reprompting.py`": appended("mitigate/methods/reprompting.py"),
    "`score/contrasts/table.py`": appended("score/contrasts/table.py"),
    "`models/wanda.py`": appended("models/wanda.py"),
    "`core/errors.py`": appended("core/errors.py"),
}


@pytest.fixture(scope="module")
def study() -> Study:
    return read_study()


@pytest.fixture(scope="module")
def names() -> list[str]:
    """The code of every kind of job of the default study."""
    outs = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]["code"]["outs"]
    return [path.removeprefix(f"{CODE_FOLDER}/").removesuffix(".sha256") for path in outs]


def hashes(study: Study, names: list[str]) -> dict[str, str]:
    """The hash of each kind of job; jobs share most files, so the data beside a file is looked for once."""
    for remembered in (code_hash.code_hash, code_hash._imported, parsed):
        remembered.cache_clear()
    look = code_hash._data_beside
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_hash, "_data_beside", cache(lambda path: tuple(look(path))))
        return {name: study.code_named(name) for name in names}


@pytest.fixture(scope="module")
def before(study: Study, names: list[str]) -> dict[str, str]:
    """The hashes of the package as it is: a hash does not know the folder that the package lies in."""
    return hashes(study, names)


def stale_after(edit: Edit, study: Study, before: dict[str, str], folder: Path) -> list[str]:
    package = shutil.copytree(PACKAGE, folder / "edgebias", ignore=shutil.ignore_patterns("__pycache__"))
    edit(package)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(code_hash, "PACKAGE", package)
        after = hashes(study, list(before))
    return [name for name in before if before[name] != after[name]]


def in_words(stale: list[str], names: list[str]) -> str:
    """``infer (openai), score (winobias)``: rules, and their entries where not all of a rule's are stale."""
    if not stale:
        return "nothing"
    if stale == names:
        return "every job"
    found = []
    for rule in sorted({name.partition("/")[0] for name in stale}):
        of_rule = [name for name in names if name.partition("/")[0] == rule]
        mine = [name for name in of_rule if name in stale]
        told = [set(name.split("/")[1:]) for name in mine]
        common = sorted(set.intersection(*told) or set.union(*told))
        found.append(rule if mine == of_rule else f"{rule} ({', '.join(common)})")
    return ", ".join(found)


@pytest.mark.parametrize("place", EDITS)
def test_the_page_says_what_an_edit_makes_stale(
    place: str, study: Study, names: list[str], before: dict[str, str], tmp_path: Path
) -> None:
    told = {row["edit"]: row["stale"] for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))}
    stale = stale_after(EDITS[place], study, before, tmp_path)
    assert told.get(place) == in_words(stale, names)


def test_the_page_has_no_row_that_is_not_tested() -> None:
    rows = {row["edit"] for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))}
    assert rows - {"an edit of", "---"} == EDITS.keys()
