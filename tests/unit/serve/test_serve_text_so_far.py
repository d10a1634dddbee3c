"""The text of an answer while it is written, without a model."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebias.serve.live import Written
from edgebias.serve.text_so_far import Part, TextSoFar


def told(pieces: list[bytes], stops: list[str]) -> tuple[list[Part], TextSoFar]:
    text = TextSoFar(stops)
    parts = []
    for piece in pieces:
        parts.append(text.add(Written(piece)))
        if text.stopped:
            break
    return [*parts, text.end()], text


def test_a_character_of_several_tokens_is_told_when_it_is_whole() -> None:
    parts, _ = told([b"a\xf0\x9f", b"\x98", b"\x80b"], [])
    assert [part.text for part in parts] == ["a", "", "😀b", ""]


def test_bytes_that_are_no_text_become_the_sign_for_that() -> None:
    parts, _ = told([b"a\xff", b"\xf0\x9f"], [])
    assert "".join(part.text for part in parts) == "a��"


def test_what_may_begin_a_stop_text_is_kept_back_until_it_does_not() -> None:
    parts, text = told([b"one ", b"E", b"N", b"D!"], ["END?"])
    assert [part.text for part in parts] == ["one ", "", "", "END!", ""]
    assert not text.stopped


def test_at_the_end_what_was_kept_back_is_told() -> None:
    parts, _ = told([b"one EN"], ["END"])
    assert [part.text for part in parts] == ["one ", "EN"]


def test_of_several_stop_texts_the_first_in_the_text_ends_it() -> None:
    parts, text = told([b"ab cd ef"], ["ef", "cd"])
    assert "".join(part.text for part in parts) == "ab "
    assert text.stopped


def test_tokens_of_a_stop_text_are_not_told() -> None:
    parts, _ = told([b"ab", b" c", b"d", b"more"], ["cd"])
    tokens = [(place, token.piece) for part in parts for place, token in part.tokens]
    assert tokens == [(0, b"ab"), (2, b" c")]


def test_tokens_without_text_are_told_at_the_end() -> None:
    parts, _ = told([b"a", b""], [])
    assert [token.piece for part in parts for _, token in part.tokens] == [b"a", b""]


@given(
    st.lists(st.text(alphabet="abé😀", min_size=1, max_size=4), max_size=8),
    st.lists(st.text(alphabet="abé", min_size=1, max_size=3), max_size=3),
    st.data(),
)
def test_however_a_text_is_cut_into_tokens_the_same_is_told(
    words: list[str], stops: list[str], data: st.DataObject
) -> None:
    """The parts are the text up to its first stop text, and no part is told that a stop text takes back."""
    whole = "".join(words)
    raw = whole.encode()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(raw)), max_size=8)) | {0, len(raw)})
    pieces = [raw[start:end] for start, end in pairwise(cuts)]
    parts, text = told(pieces, stops)
    places = [place for stop in stops if (place := whole.find(stop)) >= 0]
    found = "".join(part.text for part in parts)
    if places and text.stopped:
        assert whole.startswith(found)
        assert not any(stop in found for stop in stops)
    else:
        assert not places
        assert found == whole


@pytest.mark.parametrize("stop", ["a", "aa", "aba"])
def test_a_stop_text_that_overlaps_itself_is_found(stop: str) -> None:
    parts, text = told([b"b", b"a", b"a", b"b", b"a"], [stop])
    assert text.stopped == (stop in "baaba")
    assert "".join(part.text for part in parts) == "baaba".partition(stop)[0]
