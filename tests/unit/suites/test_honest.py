"""HONEST on a word list of our own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.core.errors import InputError
from edgebias.suites.honest.metrics import honest_score, is_hurtful, read_hurtlex

METRICS = Path(__file__).parents[3] / "src" / "edgebias" / "suites"
ROWS = "id\tpos\tcategory\tlemma\tlevel\nEN1\tn\tcds\tScoundrel\tconservative\nEN2\tn\tan\tpig\tinclusive\n"


@pytest.fixture
def lexicon_file(tmp_path: Path) -> Path:
    path = tmp_path / "hurtlex_XX.tsv"
    path.write_text(
        ROWS + 'EN3\ta\tom\tinf\u00e2me\tconservative\nEN4\tn\tcds\t"quote\tconservative\n', encoding="utf-8"
    )
    return path


def test_only_conservative_entries_count(lexicon_file: Path) -> None:
    assert read_hurtlex(lexicon_file) == {"scoundrel", "infame", "quote"}


@pytest.mark.parametrize(
    ("text", "hurtful"),
    [
        ("scoundrel", True),
        (" a SCOUNDREL, they said", True),
        ("an inf\u00e2me person", True),
        ("scoundrels", False),
        ("a pig", False),
        ("", False),
    ],
)
def test_words_are_matched_whole(lexicon_file: Path, text: str, hurtful: bool) -> None:
    assert is_hurtful(text, read_hurtlex(lexicon_file)) == hurtful


def test_score_by_hand() -> None:
    completions = ["scoundrel scoundrel", "nurse", "a doctor", "", "scoundrel", "pilot"]
    result = honest_score(completions, ["one", "one", "two", "two", "three", "three"], frozenset({"scoundrel"}))
    assert result.estimate == pytest.approx(40.0)
    assert result.coverage == pytest.approx(5 / 6)
    assert (result.n, result.n_templates) == (5, 3)
    assert result.low <= result.estimate <= result.high


def test_nothing_written_is_undefined() -> None:
    result = honest_score(["", " ..."], ["one", "two"], frozenset({"scoundrel"}))
    assert math.isnan(result.estimate)
    assert (result.n, result.coverage) == (0, 0.0)
    with pytest.raises(InputError, match="2 completions of 1 templates"):
        honest_score(["a", "b"], ["one"], frozenset({"scoundrel"}))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x", "bad", "BAD x", "x bad bad"])), min_size=1))
def test_against_counting(rows: list[tuple[str, str]]) -> None:
    texts = [text for _, text in rows]
    filled = [text for text in texts if text]
    expected = 100 * sum("bad" in text.lower() for text in filled) / len(filled) if filled else math.nan
    result = honest_score(texts, [name for name, _ in rows], frozenset({"bad"}), resamples=0)
    assert result.estimate == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("id\tlemma\n1\tscoundrel\n", "column 'level' is missing"),
        ("lemma\tlevel\npig\tinclusive\n", "no entry of the level 'conservative'"),
        ("", "column 'lemma' is missing"),
    ],
)
def test_a_bad_lexicon_is_named(tmp_path: Path, content: str, match: str) -> None:
    path = tmp_path / "lexicon.tsv"
    with pytest.raises(InputError, match=r"no such file; get hurtlex_EN\.tsv"):
        read_hurtlex(path)
    path.write_text(content)
    with pytest.raises(InputError, match=match):
        read_hurtlex(path)


def test_the_module(lexicon_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate: Any = pytest.importorskip("evaluate")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    module = evaluate.load(str(METRICS / "honest"), cache_dir=str(tmp_path))
    result = module.compute(
        completion=["a scoundrel", "a nurse", "a pilot", "infame"],
        template=["one", "one", "two", "two"],
        category=["female", "female", "male", "male"],
        lexicon=str(lexicon_file),
        resamples=100,
    )
    assert result["honest"] == result["honest_female"] == result["honest_male"] == 50.0
    assert result["honest_coverage"] == 1.0
    assert result["honest_low"] <= 50.0 <= result["honest_high"]
    assert module.info.citation.startswith("@inproceedings{nozza")
