"""Attention over a tree of tokens, and of many sequences that are continued together, for any transformers model.

transformers hands queries, keys and values of every layer to a function that is chosen by name
(``AttentionInterface``). The one registered here does what `TreeAttention` or `Continuation`, passed to the model as
``attends``, says; without either it is transformers' own ``sdpa``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import pad, scaled_dot_product_attention

from edgebias.backends.local.prefix_tree import PrefixTree

NAME = "edgebias_tree"
"""Under which the function is registered."""

BLOCK = 64
"""Rows whose attention is computed together: few enough that most keys of a block are ancestors of most of its rows,
enough for matrix products of a fair size."""

IGNORED_MASK = torch.zeros((1, 1, 1, 1))
"""Given as a mask beside ``attends``: transformers takes four dimensions as they are and makes no mask of its own."""


class AttentionPattern(Protocol):
    """What stands for a mask."""

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """Return the attended values, shape (batch, rows, heads, width), of queries (batch, heads, rows, width)."""
        ...


class TreeAttention:
    """Every row of ``tree`` attends to its ancestors and itself, as one batch entry.

    Rows are taken in blocks of `BLOCK`; a block reads the keys of its rows and of their ancestors alone, so that the
    work grows with the rows and not with their square. A layer's sliding window is counted in positions of a sequence.

    Args:
        tree: the rows, in the order in which the model is given them.
        keep: hold keys and values of every layer, for a `Continuation`.
    """

    def __init__(self, tree: PrefixTree, *, keep: bool = False) -> None:
        blocks = [_ancestors(tree, first, min(first + BLOCK, len(tree))) for first in range(0, len(tree), BLOCK)]
        width = max(len(rows) for rows, _ in blocks)
        positions = np.array(tree.positions)
        sources = np.zeros((len(blocks), width), np.int64)
        seen = np.zeros((len(blocks), BLOCK, width), np.bool_)
        distances = np.zeros((len(blocks), BLOCK, width), np.int64)
        seen[:, :, 0] = True  # a row beyond the last one: its output is dropped, but must be a number
        for index, (rows, sees) in enumerate(blocks):
            size = len(sees)
            sources[index, : len(rows)] = rows
            seen[index, :size] = False
            seen[index, :size, : len(rows)] = sees
            own = positions[index * BLOCK : index * BLOCK + size]
            distances[index, :size, : len(rows)] = own[:, None] - positions[rows][None]
        self._n_rows = len(tree)
        self._sources = torch.from_numpy(sources)
        self._seen = torch.from_numpy(seen)
        self._distances = torch.from_numpy(distances)
        self._masks: dict[tuple[int, int | None], torch.Tensor] = {}
        self.kept: dict[int, tuple[torch.Tensor, torch.Tensor]] | None = {} if keep else None

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """See `AttentionPattern`."""
        if self.kept is not None:
            self.kept[layer] = key[0], value[0]
        n_blocks, width = self._sources.shape
        heads, key_heads = query.shape[1], key.shape[1]
        group = heads // key_heads
        # Query heads that share a key head become rows of one matrix product.
        asked = pad(query[0], (0, 0, 0, n_blocks * BLOCK - self._n_rows))
        asked = asked.view(key_heads, group, n_blocks, BLOCK, -1).permute(2, 0, 1, 3, 4).flatten(2, 3)
        places = self._sources.flatten()
        keys, values = (
            tensor[0].index_select(1, places).view(key_heads, n_blocks, width, -1).transpose(0, 1)
            for tensor in (key, value)
        )
        found = scaled_dot_product_attention(
            asked, keys, values, attn_mask=self._mask(group, window, query.dtype), scale=scale
        )
        found = found.view(n_blocks, key_heads, group, BLOCK, -1).permute(0, 3, 1, 2, 4)
        return found.reshape(1, n_blocks * BLOCK, heads, -1)[:, : self._n_rows]

    def _mask(self, group: int, window: int | None, dtype: torch.dtype) -> torch.Tensor:
        known = self._masks.get((group, window))
        if known is None:
            seen = self._seen if window is None else self._seen & (self._distances < window)
            mask = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, float("-inf"))
            known = self._masks[group, window] = mask.repeat(1, group, 1)[:, None]
        return known


def _ancestors(tree: PrefixTree, first: int, end: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return the rows that rows ``first`` to ``end`` see, in order, and which of them each one sees."""
    found: set[int] = set()
    for row in range(first, end):
        while row >= 0 and row not in found:
            found.add(row)
            row = tree.parents[row]
    rows = sorted(found)
    columns = {row: column for column, row in enumerate(rows)}
    sees = np.zeros((len(rows), len(rows)), np.bool_)
    for column, row in enumerate(rows):
        parent = tree.parents[row]
        if parent >= 0:
            sees[column] = sees[columns[parent]]
        sees[column, column] = True
    return np.array(rows), sees[columns[first] :]


class Continuation:
    """Sequences that grow by one token each at a time, as one batch entry each.

    Args:
        prompts: an attention that has kept the prompts' keys and values.
        paths: rows of each prompt in its tree.
        room: most tokens that are to be added to a prompt.
    """

    def __init__(self, prompts: TreeAttention, paths: Sequence[Sequence[int]], room: int) -> None:
        self.lengths = torch.tensor([len(path) for path in paths])
        """Tokens of each sequence so far, the next one not among them."""
        longest = int(self.lengths.max())
        places = torch.zeros((len(paths), longest), dtype=torch.int64)
        for index, path in enumerate(paths):
            places[index, : len(path)] = torch.tensor(path)
        self._held: dict[int, list[torch.Tensor]] = {}
        kept = prompts.kept or {}
        for layer in list(kept):
            self._held[layer] = []
            for tensor in kept.pop(layer):  # let go of one layer after the other: memory for one copy is enough
                held = tensor.new_zeros((len(paths), tensor.shape[0], longest + room, tensor.shape[2]))
                held[:, :, :longest] = tensor[:, places].transpose(0, 1)
                self._held[layer].append(held)
        self._entries = torch.arange(len(paths))
        self._masks: dict[int | None, torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def advance(self) -> None:
        """Count the tokens that the model was given just now."""
        self.lengths = self.lengths + 1
        self._masks = {}

    def keep(self, entries: Sequence[int]) -> None:
        """Go on with these entries alone, in this order."""
        chosen = torch.tensor(entries)
        for held in self._held.values():
            held[:] = [tensor.index_select(0, chosen) for tensor in held]
        self.lengths = self.lengths[chosen]
        self._entries = torch.arange(len(entries))
        self._masks = {}

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, window: int | None
    ) -> torch.Tensor:
        """See `AttentionPattern`; rows are one."""
        size = int(self.lengths.max()) + 1
        keys, values = self._held[layer]
        keys[self._entries, :, self.lengths] = key[:, :, 0]
        values[self._entries, :, self.lengths] = value[:, :, 0]
        n_entries, heads, _, width = query.shape
        asked = query.reshape(n_entries, key.shape[1], -1, width)
        found = scaled_dot_product_attention(
            asked, keys[:, :, :size], values[:, :, :size], attn_mask=self._mask(size, window, query.dtype), scale=scale
        )
        return found.reshape(n_entries, 1, heads, -1)

    def _mask(self, size: int, window: int | None, dtype: torch.dtype) -> torch.Tensor:
        known = self._masks.get(window)
        if known is None:
            distance = self.lengths[:, None] - torch.arange(size)[None]
            seen = (distance >= 0) if window is None else (distance >= 0) & (distance < window)
            known = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, float("-inf"))[:, None, None]
            self._masks[window] = known
        return known


def register() -> None:
    """Make `NAME` known to transformers; a second call changes nothing."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def _attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    attends: AttentionPattern | None = None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Return the function that transformers calls in every layer."""
    if attends is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, sliding_window=sliding_window, **others
        )
        return found
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    layer: int = module.layer_idx  # type: ignore[assignment]
    return attends.attend(layer, query, key, value, scale, sliding_window), None
