"""llama-cpp-python's own OpenAI-compatible server on 127.0.0.1, which lives exactly as long as its parent needs it.

Run as a module, this file is the server process itself: it asks the kernel to be killed with its parent, then hands
over to ``llama_cpp.server``.
"""

from __future__ import annotations

import atexit
import ctypes
import json
import os
import runpy
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edgebias.backends.local.served_template import SERVED_FORMAT, TEMPLATE_VARIABLES, register_served_format
from edgebias.core.errors import InputError

READY_SECONDS = 180.0
"""How long a large model may take to load."""

STOP_SECONDS = 5.0
"""Between SIGTERM and SIGKILL."""

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
"""All of the environment that the server sees: it would take HOST, PORT or MODEL for settings, and needs no keys."""


@dataclass(frozen=True)
class LoopbackServer:
    """A running server."""

    base_url: str
    api_key: str
    pid: int


@contextmanager
def loopback_server(
    weights: Path,
    *,
    threads: int,
    context: int,
    logprobs: bool = False,
    port: int | None = None,
    template_variables: Mapping[str, Any] | None = None,
    ready_seconds: float = READY_SECONDS,
) -> Iterator[LoopbackServer]:
    """Serve ``weights`` on a free port (or ``port``) of 127.0.0.1 with a random key, until the block ends.

    The key is in a configuration file that only this user may read, never among the arguments. The server renders
    messages as every local backend does and keeps no cache of its own. Where ``logprobs`` will be asked for, it keeps
    the logits of every token: 4 bytes for each token of the context and each entry of the vocabulary.

    Raises:
        InputError: the file is absent, the port is taken, or the server ends or is silent while it starts (its last log
            lines are quoted).
    """
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; run the stage that makes it")
    port = _claim(port)
    key = secrets.token_urlsafe(24)
    with tempfile.TemporaryDirectory(prefix="edgebias-server-") as folder:
        configuration, log = Path(folder, "server.json"), Path(folder, "server.log")
        _write_private(
            configuration, _settings(weights, threads, context, logprobs, port, key, template_variables or {})
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(os.getpid()), "--config_file", str(configuration)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env={name: os.environ[name] for name in PASSED_ON if name in os.environ}
                | {"OMP_WAIT_POLICY": "passive", "OMP_NUM_THREADS": str(threads)},
            )
        stop = partial(_stop, process)
        atexit.register(stop)
        try:
            server = LoopbackServer(f"http://127.0.0.1:{port}/v1", key, process.pid)
            _wait_until_ready(server, process, log, weights, ready_seconds)
            yield server
        finally:
            stop()
            atexit.unregister(stop)


def _settings(
    weights: Path,
    threads: int,
    context: int,
    logprobs: bool,
    port: int,
    key: str,
    template_variables: Mapping[str, Any],
) -> str:
    return json.dumps(
        {
            "host": "127.0.0.1",
            "port": port,
            "api_key": key,
            "models": [
                {
                    "model": str(weights.resolve()),
                    "model_alias": weights.name,
                    "n_ctx": context,
                    "n_threads": threads,
                    "n_threads_batch": threads,
                    "n_gpu_layers": 0,
                    "logits_all": logprobs,  # the server gives log-probabilities with it alone; its own default is on
                    "cache": False,
                    "verbose": False,
                    "chat_format": SERVED_FORMAT,
                    "chat_template_kwargs": {TEMPLATE_VARIABLES: dict(template_variables)}
                    if template_variables
                    else None,
                }
            ],
        }
    )


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _claim(port: int | None) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port or 0))
        except OSError as error:
            raise InputError(
                f"port: 127.0.0.1:{port} cannot be used ({error.strerror}); free it or leave port out for a free one"
            ) from error
        return int(probe.getsockname()[1])


def _wait_until_ready(
    server: LoopbackServer, process: subprocess.Popen[bytes], log: Path, weights: Path, ready_seconds: float
) -> None:
    request = urllib.request.Request(f"{server.base_url}/models", headers={"Authorization": f"Bearer {server.api_key}"})
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + ready_seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise InputError(f"{weights}: the loopback server ended with status {process.returncode} ({_tail(log)})")
        with suppress(urllib.error.URLError, OSError), direct.open(request, timeout=2):
            return
        time.sleep(0.1)
    raise InputError(f"{weights}: the loopback server is not ready after {ready_seconds:.0f} s ({_tail(log)})")


def _tail(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return "its log ends: " + " | ".join(lines[-3:])[-400:] if lines else "its log is empty"


def _stop(process: subprocess.Popen[bytes]) -> None:
    for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        if process.poll() is not None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)


def _serve(parent: int, arguments: list[str]) -> None:
    """Become the server; the kernel kills it as soon as ``parent`` is gone, however that ends."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before the kernel was asked
        raise SystemExit(1)
    register_served_format()
    sys.argv = ["llama_cpp.server", *arguments]
    runpy.run_module("llama_cpp.server", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve(int(sys.argv[1]), sys.argv[2:])
