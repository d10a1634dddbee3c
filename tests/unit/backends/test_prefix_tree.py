"""Prefix trees and packs, without a model."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from edgebias.backends.local.prefix_tree import Part, PrefixTree, score_packs, split_options

TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=6)


@given(st.lists(TOKENS, min_size=1, max_size=8))
def test_every_path_reads_back_and_every_prefix_is_one_row(paths: list[list[int]]) -> None:
    tree = PrefixTree()
    for path in paths:
        grows = tree.missing(path)
        before = len(tree)
        rows = tree.add(path)
        assert [tree.tokens[row] for row in rows] == path
        assert [tree.positions[row] for row in rows] == list(range(len(path)))
        assert [tree.parents[row] for row in rows] == [-1, *rows[:-1]]
        assert len(tree) == before + grows
    assert len(tree) == len({tuple(path[:n]) for path in paths for n in range(1, len(path) + 1)})
    assert tree.n_sequences == len({tuple(path) for path in paths})
    for row, parent in enumerate(tree.parents):
        assert parent < row
        assert parent < 0 or set(tree.members[row]) <= set(tree.members[parent])


def test_equal_prompts_can_be_continued_apart() -> None:
    tree = PrefixTree()
    assert tree.add([1, 2], own_sequence=True) == tree.add([1, 2], own_sequence=True) == [0, 1]
    assert tree.members == [[0, 1], [0, 1]]


@given(st.lists(st.tuples(TOKENS, st.lists(TOKENS, min_size=1, max_size=5)), max_size=8), st.integers(1, 4))
def test_packs_keep_the_order_the_limits_and_every_token(
    requests: list[tuple[list[int], list[list[int]]]], most: int
) -> None:
    parts = [
        part for index, (prompt, options) in enumerate(requests) for part in split_options(index, prompt, options, most)
    ]
    packs = list(score_packs(iter(parts), room=20, sequences=most))
    assert [part for pack in packs for part in pack.parts] == parts
    for pack in packs:
        assert pack.tree.n_sequences <= most
        assert len(pack.tree) <= 20 or len(pack.parts) == 1
        for part, options in zip(pack.parts, pack.wanted, strict=True):
            assert [[token for _, token in pairs] for pairs in options] == part.options
            sums = pack.sums(_ones(pack.wanted))
            assert sums[pack.parts.index(part)] == [float(len(option)) for option in part.options]


def _ones(wanted: list[list[list[tuple[int, int]]]]) -> dict[tuple[int, int], float]:
    return {pair: 1.0 for options in wanted for pairs in options for pair in pairs}


def test_the_last_part_of_a_request_is_marked() -> None:
    parts = list(split_options(3, [9], [[1], [2], [3]], 2))
    assert parts == [Part(3, [9], [[1], [2]], False), Part(3, [9], [[3]], True)]
