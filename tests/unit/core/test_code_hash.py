"""What a job's code is, and which edits of it count."""

from pathlib import Path

import pytest

from edgebias.core import code_hash as module
from edgebias.core import parsed as parsing
from edgebias.core.code_hash import PACKAGE, code_files, code_hash
from edgebias.core.parsed import parsed

SOURCE = '''"""Prose."""

from edgebias import helper

NAMES = "names.csv"
"""More prose."""


def double(value: int) -> int:
    """Double it."""
    return 2 * value  # twice
'''

VARIED = """
import ast

class Words(dict[str, int]):
    '''Prose.'''
    kept: int = 0

    async def each(self, *names: str, width: int = 3, **more: float) -> "list[str]":
        return [f"{name!r:>{width}} {'a' + 'b'} {{}}" "" f'{1.5e-7}' async for name in self if (n := len(name))]

def told(value: object) -> bytes | None:
    match value:
        case {"a": [1, *_], **rest} if rest: return b"\\x00'"
        case None | True: raise ValueError(u"ü \\ud800") from None
    try: return lambda x, /, *, y=...: (x, *y, 1j, -0.0, {**x}, {1, *x}, x[1:, ::2])
    except* OSError: global ast; del ast.x; nonlocal_ = not x is y
    finally: print(help="no help")
"""


def names_of(*modules: str) -> list[str]:
    return [path.relative_to(PACKAGE).as_posix() for path in code_files(*modules)]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package `edgebias` of three files."""
    folder = tmp_path / "edgebias"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "job.py").write_text(SOURCE)
    (folder / "helper.py").write_text("ONE = 1\n")
    (folder / "stranger.py").write_text("TWO = 2\n")
    (folder / "names.csv").write_text("a,b\n")
    monkeypatch.setattr(module, "PACKAGE", folder)
    return folder


def fresh(*modules: str) -> str:
    for remembered in (module.code_hash, module._imported, parsed):
        remembered.cache_clear()
    return code_hash(*modules)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Prose."""', '"""Other words."""'),
        ('"""Prose."""\n', ""),
        ('"""More prose."""\n', ""),
        ('    """Double it."""\n', ""),
        ("  # twice", ""),
        ("2 * value", "(2*value)"),
        ("\n\n\ndef", "\ndef"),
    ],
)
def test_prose_and_layout_do_not_count(package: Path, old: str, new: str) -> None:
    before = fresh("edgebias.job")
    assert old in SOURCE
    (package / "job.py").write_text(SOURCE.replace(old, new))
    assert fresh("edgebias.job") == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("job.py", SOURCE.replace("2 * value", "3 * value")),
        ("job.py", SOURCE.replace("value: int", "value: float")),
        ("job.py", SOURCE.replace("names.csv", "other.csv")),
        ("helper.py", "ONE = 2\n"),
        ("names.csv", "a,c\n"),
        ("__init__.py", "THREE = 3\n"),
    ],
)
def test_what_a_job_runs_or_reads_counts(package: Path, file: str, text: str) -> None:
    before = fresh("edgebias.job")
    (package / file).write_text(text)
    assert fresh("edgebias.job") != before


def test_a_function_of_nothing_but_prose_is_hashed(package: Path) -> None:
    (package / "job.py").write_text('def nothing() -> None:\n    """Do nothing."""\n')
    assert len(fresh("edgebias.job")) == 64


def test_what_nothing_imports_does_not_count(package: Path) -> None:
    before = fresh("edgebias.job")
    (package / "stranger.py").write_text("TWO = 3\n")
    assert fresh("edgebias.job") == before
    assert fresh("edgebias.job", "edgebias.stranger") != before


def test_a_plugin_counts_with_its_neighbours_and_what_it_imports(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "colleague.py").write_text("import colleague_words\nfrom edgebias import helper\n")
    (tmp_path / "colleague_words.py").write_text("WORD = 'a'\n")
    found = [fresh("colleague")]
    (tmp_path / "colleague_words.py").write_text("WORD = 'b'\n")
    found.append(fresh("colleague"))
    (package / "helper.py").write_text("ONE = 2\n")
    found.append(fresh("colleague"))
    assert len(set(found)) == 3


@pytest.mark.parametrize("stored", ["", "{}", "[[1, 2]]", None])
def test_a_broken_or_absent_store_of_what_was_parsed_is_made_anew(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: str | None
) -> None:
    before = fresh("edgebias.job")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = parsing._store()
    if stored is not None:
        store.parent.mkdir(parents=True)
        store.write_text(stored)
    parsing._remembered.cache_clear()
    assert fresh("edgebias.job") == before
    assert parsed(package / "job.py").digest in store.read_text()
    parsing._remembered.cache_clear()


def test_scoring_does_not_depend_on_the_code_that_asks_models() -> None:
    assert not [name for name in names_of("edgebias.stages.score", "edgebias.stages.compare") if "backends/" in name]


def test_data_that_a_module_reads_counts() -> None:
    assert "suites/errata.csv" in names_of("edgebias.suites.errata")
    assert "report/templates/page.html" in names_of("edgebias.report.page")


def test_a_module_that_is_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match=r"edgebias\.stages\.nothing is not a module"):
        code_hash("edgebias.stages.nothing")


def test_the_hash_of_a_source_is_the_same_under_every_version_of_python(package: Path) -> None:
    """Quotes in f-strings, their formats, empty lists of type parameters: where versions write a tree otherwise."""
    (package / "job.py").write_text(VARIED)
    parsed.cache_clear()
    assert parsed(package / "job.py").digest == "0915da7182ff264092c397a56a3a37bae94b9394f59aa939c30c44fdc3de34e9"
