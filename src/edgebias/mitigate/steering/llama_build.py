"""The build that is steered or probed, opened in llama.cpp as its environment says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgebias.backends.local.llama_engine import LlamaBackend
    from edgebias.infer.cell import Cell


def open_build(cell: Cell, weights: Path, *, capture_hidden: bool = False) -> LlamaBackend:
    """Open the backend, to be closed by the caller; ``capture_hidden`` keeps block outputs.

    Raises:
        InputError: the weights or the environment's values are unusable.
    """
    from edgebias.backends.local.llama_engine import (
        LlamaBackend,  # loads llama.cpp, which readers of the tables do not need
    )

    return LlamaBackend(
        weights,
        threads=int(cell.environment["threads"]),
        context=int(cell.environment["context"]),
        start_token=cell.model.get("start_token"),
        capture_hidden=capture_hidden,
        template_variables=cell.model.get("chat_template_kwargs"),
    )
