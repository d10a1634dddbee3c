"""Large blocks of memory that go back to the system when they are freed, for processes that change a control vector.

At the first evaluation after each change of its control vector llama.cpp gives up its graph and its scheduler and
reserves new ones (``llama_context::sched_reserve`` in llama-context.cpp): blocks of up to some megabytes. Every one of
them that is freed raises glibc's threshold for blocks of their own (``M_MMAP_THRESHOLD`` in mallopt(3), 32 MiB at
most), so that the next ones lie in the heap, where others settle between them and holes remain: 20 to 50 MB after a
hundred changes, beside a control vector of 67 kB.
"""

from __future__ import annotations

import ctypes
from functools import cache

M_MMAP_THRESHOLD = -3
"""The option's number in glibc's malloc.h."""
LARGE = 512 * 1024
"""Bytes. With 1 MiB, 3 MB more were taken; with 256 KiB scoring took 6 % longer, since the logits of a row in double
precision (393 kB with 49,152 tokens) came from the system as well."""


@cache
def return_freed_blocks_to_system() -> bool:
    """Take blocks of `LARGE` bytes or more from the system one by one, and hand each back when it is freed.

    Returns:
        Whether the C library of this process can be told so: glibc's can.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(M_MMAP_THRESHOLD, LARGE))
