"""Perplexity and the neutral text: closed forms, disjoint parts, plain errors."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebias.backends.base import OptionScores
from edgebias.core.errors import InputError
from edgebias.models.perplexity import mean_negative_log_likelihood, neutral_sentences, sentence_scorer


def uniform(vocabulary: int) -> object:
    def score(sentences: list[str]) -> Iterator[OptionScores]:
        for sentence in sentences:
            count = len(sentence.split())
            yield OptionScores(logprobs=(-count * math.log(vocabulary),), n_tokens=(count,))

    return score


@pytest.mark.parametrize("vocabulary", [2, 256, 49152])
def test_a_uniform_model_has_its_vocabulary_as_perplexity(vocabulary: int) -> None:
    result = mean_negative_log_likelihood(uniform(vocabulary), ["a b c", "d e", "f"] * 20)
    assert result.value == pytest.approx(vocabulary)
    assert (result.n_tokens, result.n_sentences) == (120, 60)


def test_tokens_are_weighted_alike_not_sentences() -> None:
    scores = [OptionScores((-1.0,), (1,)), OptionScores((-18.0,), (9,))]
    result = mean_negative_log_likelihood(lambda sentences: iter(scores), ["a", "b"])
    assert result.mean_nll == pytest.approx(1.9)


@pytest.mark.parametrize(
    ("asked", "tokens", "sentences"), [(1, 3, 1), (3, 3, 1), (4, 6, 2), (59, 60, 20), (60, 60, 20)]
)
def test_scoring_stops_at_the_sentence_that_reaches_the_number(asked: int, tokens: int, sentences: int) -> None:
    result = mean_negative_log_likelihood(uniform(10), ["a b c"] * 20, asked)
    assert (result.n_tokens, result.n_sentences) == (tokens, sentences)


def test_too_little_text_is_refused() -> None:
    with pytest.raises(InputError, match="60 tokens, 61 are asked for"):
        mean_negative_log_likelihood(uniform(10), ["a b c"] * 20, 61)


def test_a_backend_is_asked_for_sentences_that_begin_a_text() -> None:
    seen = []

    def score(requests: object) -> Iterator[OptionScores]:
        for request in requests:  # type: ignore[attr-defined]
            seen.append((request.prompt.text, request.options))
            yield OptionScores((-2.0,), (1,))

    mean_negative_log_likelihood(sentence_scorer(score), ["One.", "Two."])
    assert seen == [("", ("One.",)), ("", ("Two.",))]


def test_parts_are_disjoint_complete_and_stable(texts: Path, tmp_path: Path) -> None:
    parts = [neutral_sentences(texts, part) for part in ("calibration", "fit", "perplexity")]
    joined = [sentence for part in parts for sentence in part]
    assert len(joined) == len(set(joined)) == 90
    assert min(len(part) for part in parts) > 10
    pages = json.loads(texts.read_text(encoding="utf-8"))
    extra = "Another sentence that is long enough to be taken into one of the parts."
    shuffled = {"x": {"y": [extra, *reversed([s for page in pages["workers"].values() for s in page])]}}
    other = tmp_path / "other.json"
    other.write_text(json.dumps(shuffled), encoding="utf-8")
    for name, before in zip(("calibration", "fit", "perplexity"), parts, strict=True):
        assert [s for s in neutral_sentences(other, name) if s != extra] == before  # type: ignore[arg-type]


def test_a_mark_before_the_neutral_text_changes_nothing(texts: Path, tmp_path: Path) -> None:
    """As every other raw file is read."""
    (tmp_path / "marked.json").write_bytes(b"\xef\xbb\xbf" + texts.read_bytes())
    assert neutral_sentences(tmp_path / "marked.json", "fit") == neutral_sentences(texts, "fit")


HALF = '{"a": {"b": ["Half a character \\ud83d stands in this sentence of some length."]}}'


@pytest.mark.parametrize("content", ["not json", "[1, 2]", '{"a": 1}', '{"a": {"b": ["short"]}}', HALF])
def test_a_file_that_is_no_neutral_text_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "wiki.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"wiki\.json"):
        neutral_sentences(path, "perplexity")
    with pytest.raises(InputError, match="no such file"):
        neutral_sentences(tmp_path / "none.json", "perplexity")
