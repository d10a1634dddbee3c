"""A live llama.cpp model of a few kilobytes, for whatever stands before one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebias.backends.local.llama_engine import LlamaBackend


@pytest.fixture
def backend(tiny: Path) -> Iterator[LlamaBackend]:
    with LlamaBackend(tiny, threads=1, context=256, start_token="<|endoftext|>") as live:
        yield live
