from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgebias.core.processes import live_children, peak_of_children_mb, processor_seconds

BUSY = """
import time
held = bytearray(60_000_000)
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
print(flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
def test_a_running_child_is_counted_in(tmp_path: Path) -> None:
    before, memory = processor_seconds(), peak_of_children_mb()
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in live_children()
        assert processor_seconds() - before >= 0.25
        assert peak_of_children_mb() - memory > 55
        child.kill()
    assert child.pid not in live_children()


def test_own_time_rises_with_work_and_not_with_waiting(tmp_path: Path) -> None:
    start = processor_seconds(tmp_path)
    time.sleep(0.2)
    assert processor_seconds(tmp_path) - start < 0.1
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    assert processor_seconds(tmp_path) - start > 0.15
    assert live_children(tmp_path) == []
