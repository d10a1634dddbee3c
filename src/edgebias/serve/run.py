"""Load a model, and serve it until a signal comes."""

from __future__ import annotations

import errno
import hashlib
import signal
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import uvicorn

from edgebias.backends.base import OptionRequest
from edgebias.core.errors import InputError
from edgebias.infer.wording import likelihood_wording
from edgebias.mitigate.calibration import LEARNED_SENTENCES
from edgebias.mitigate.steering.gate import TokenGate, open_gate
from edgebias.mitigate.steering.vector_file import check_hint, read_control_vector
from edgebias.models.perplexity import neutral_sentences
from edgebias.serve.guard import affordable, guard_answers, measured_guard
from edgebias.serve.live import LiveModel, ModelFile, load_model, read_header
from edgebias.serve.monitor import Monitor, monitor_items
from edgebias.serve.online import begin
from edgebias.serve.service import Service
from edgebias.serve.settings import LoopFiles, ServeSettings
from edgebias.serve.state_file import read_state, write_state

GRACE_SECONDS = 30
"""How long answers may go on after a signal to end."""


def serve(settings: ServeSettings, loop: LoopFiles | None) -> None:
    """Serve until SIGTERM or SIGINT, then end after the running answers.

    Files are checked before the port is opened, so that what can be known to be wrong is said at once.

    Raises:
        InputError: a file or setting is unusable, the port is taken, or the model cannot be loaded.
    """
    file = read_header(settings.weights)
    if settings.context > file.n_ctx_train:
        raise InputError(
            f"--context: {settings.context} tokens, but {file.path} was trained for {file.n_ctx_train}; lower it"
        )
    vector = _vector(settings.control_vector, file)
    gate = None if settings.gate is None else open_gate(settings.gate, settings.weights)
    monitor = None if loop is None else partial(_monitor, settings, loop, _checked(settings, loop))
    listening = _listen(settings.host, settings.port)
    server: uvicorn.Server | None = None

    def stop() -> None:
        if server is not None:
            server.should_exit = True

    service = Service(
        settings.name,
        queue=settings.queue,
        load=partial(_load, settings, file, vector, gate, monitor),
        logprobs=settings.logprobs,
        key=settings.api_key,
        monitor_every=1 if loop is None else loop.monitor_every,
        stop=stop,
    )
    config = uvicorn.Config(service.app, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE_SECONDS)
    server = uvicorn.Server(config)
    # uvicorn ends in an orderly way and then raises the signal once more; without these the process would die of it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    host, port = listening.getsockname()[:2]
    address = f"[{host}]" if ":" in host else host
    print(f"serving {settings.name} on http://{address}:{port}/v1", flush=True)
    server.run(sockets=[listening])
    if service.failure is not None:
        raise service.failure


def _load(
    settings: ServeSettings,
    file: ModelFile,
    vector: npt.NDArray[np.float32] | None,
    gate: TokenGate | None,
    monitor: Callable[[LiveModel], Monitor] | None,
) -> tuple[LiveModel, Monitor | None]:
    model = load_model(settings.weights, threads=settings.threads, context=settings.context)
    live = LiveModel(model, file, vector, gate)
    if monitor is not None:
        return live, monitor(live)
    live.apply(settings.gain)
    return live, None


def _monitor(settings: ServeSettings, loop: LoopFiles, identity: Mapping[str, Any], model: LiveModel) -> Monitor:
    # As the guard of the calibration loop: what a vector was learned on is cheap under it, so what comes after is read.
    sentences = neutral_sentences(loop.texts, "fit")[LEARNED_SENTENCES:]
    guard = measured_guard(model, sentences, guard_answers(loop.answers), loop.perplexity_budget)
    state = read_state(loop.state, identity)
    if state is None:
        gain = affordable(model, guard, settings.gain)
        if gain != settings.gain:
            print(
                f"a gain of {settings.gain:g} costs more than the perplexity budget; beginning at {gain:.3g}",
                flush=True,
            )
        state = begin(gain)
    items = monitor_items(loop.monitor)
    for item in items:
        wording = likelihood_wording(item)
        needed = model.needs(OptionRequest(wording.prompt, wording.continuations))
        if needed > settings.context:
            raise InputError(f"--context: item {item.item_id!r} of {loop.monitor} needs {needed} tokens; raise it")
    return Monitor(
        model,
        items,
        guard,
        loop.online,
        state,
        seed=loop.seed,
        save=partial(write_state, identity=identity, path=loop.state),
    )


def _checked(settings: ServeSettings, loop: LoopFiles) -> Mapping[str, Any]:
    """Return what the loop's saved state belongs to; its files have been read once by then.

    Raises:
        InputError: a file or setting of the loop is unusable, or the state is another loop's.
    """
    if settings.control_vector is None:
        raise InputError("--online: the loop needs a vector to steer with; give --control-vector")
    if abs(settings.gain) > loop.online.controller.max_gain:
        raise InputError(f"--gain: {settings.gain} is beyond --max-gain {loop.online.controller.max_gain}; lower it")
    monitor_items(loop.monitor)
    neutral_sentences(loop.texts, "fit")
    guard_answers(loop.answers)
    identity = _identity(settings, loop)
    read_state(loop.state, identity)
    return identity


def _identity(settings: ServeSettings, loop: LoopFiles) -> Mapping[str, Any]:
    """Return what a saved state belongs to; numbers as text, so that rounding in the file changes none."""
    whole = loop.online.controller
    return {
        "model": _digest(settings.weights),
        "control vector": "" if settings.control_vector is None else _digest(settings.control_vector),
        "monitor": _digest(loop.monitor),
        "texts": _digest(loop.texts),
        "answers": _digest(loop.answers),
        "proportional": repr(whole.proportional),
        "integral": repr(whole.integral),
        "max gain": repr(whole.max_gain),
        "perplexity budget": repr(loop.perplexity_budget),
        "window": loop.online.window,
        "seed": loop.seed,
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _vector(path: Path | None, file: ModelFile) -> npt.NDArray[np.float32] | None:
    if path is None:
        return None
    vector = read_control_vector(path, file.n_layer, file.n_embd)
    check_hint(path, file.path)
    return vector


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens already, so that a taken port is told before a model is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise InputError(
            f"--host: {host!r} is no address of this machine ({error}); give 127.0.0.1, 0.0.0.0 or ::1"
        ) from error
    try:
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise InputError(
                f"--host: {host!r} is no address of this machine ({error.strerror}); give 127.0.0.1, 0.0.0.0 or ::1"
            ) from error
        raise InputError(
            f"--port: {host}:{port} cannot be used ({error.strerror}); free it or choose another"
        ) from error
    return listening
