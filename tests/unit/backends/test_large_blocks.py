"""Large blocks go back to the system, also from between small ones that stay: in a process of its own each time."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

HOLES = """
import ctypes
from pathlib import Path
from edgebias.backends.local.large_blocks import return_freed_blocks_to_system

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def filled(size):
    block = libc.malloc(size)
    libc.memset(block, 1, size)
    return block

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

libc.free(filled(16 << 20))  # from now on glibc puts blocks of up to as much into the heap
if {told}:
    assert return_freed_blocks_to_system()
before = resident()
for large in [(filled(600_000), filled(20_000))[0] for _ in range(100)]:
    libc.free(large)
print(resident() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_freed_large_blocks_leave_no_holes() -> None:
    left = {
        told: float(subprocess.check_output([sys.executable, "-c", HOLES.replace("{told}", str(told))], text=True))
        for told in (False, True)
    }
    assert left[False] > 30.0, "MB of 60: else this test shows nothing"
    assert left[True] < 3.0, "MB: the small blocks are 2"
