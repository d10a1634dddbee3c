"""The served model and what stands around it: loading, health, metrics, and the monitor's turns between answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

from edgebias.serve.live import LiveModel
from edgebias.serve.metrics import CONTENT_TYPE, Sample, exposition
from edgebias.serve.monitor import Monitor
from edgebias.serve.online import bias
from edgebias.serve.request_queue import RequestQueue
from edgebias.serve.routes import Door, Routes, application


class Service:
    """The application that a server runs.

    Args:
        name: the model's name.
        queue: requests that may wait.
        load: loads and steers the model, and makes the monitor (None where the gain is fixed). It runs in a thread,
            while `/health` says that the model is loading.
        logprobs: whether requests for log-probabilities are answered.
        key: what clients must send; None for no key.
        monitor_every: answers for each monitor item.
        stop: ends the server; called when loading or the monitor failed.
    """

    def __init__(
        self,
        name: str,
        *,
        queue: int,
        load: Callable[[], tuple[LiveModel, Monitor | None]],
        logprobs: bool,
        key: str | None,
        monitor_every: int,
        stop: Callable[[], None],
    ) -> None:
        self.failure: Exception | None = None
        """Why the server had to stop."""
        self._name, self._load, self._logprobs = name, load, logprobs
        self._every, self._stop = monitor_every, stop
        self._lock = anyio.Lock()
        self._queue = RequestQueue(queue, self._ended)
        self._model: LiveModel | None = None
        self._monitor: Monitor | None = None
        self._since_item = 0
        self._due = False
        self._dropped = 0
        self._woken = anyio.Event()
        self.app = application(
            [
                Route("/health", self._health),
                Route("/metrics", self._metrics),
                Mount("/", app=Door(self._queue, key)),
            ],
            self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._run)
            yield
            tasks.cancel_scope.cancel()

    async def _run(self) -> None:
        try:
            model, self._monitor = await run_sync(self._load)
            self._model = model
            self._queue.app = Routes(self._name, model, self._lock, logprobs=self._logprobs).app
            if self._monitor is not None:
                await self._watch(self._monitor)
        except Exception as error:  # told when the server has ended
            self.failure = error
            self._stop()

    async def _watch(self, monitor: Monitor) -> None:
        """Take a turn whenever nobody is waiting: one item that is due, or one text of the guard.

        Between two turns everyone who came meanwhile is answered, so that nobody waits for more than one.
        """
        while True:
            while self._queue.tally.inside == 0 and (self._due or monitor.checking):
                turn = monitor.check if monitor.checking else self._item(monitor)
                async with self._lock:
                    await run_sync(turn)
            self._woken = anyio.Event()
            await self._woken.wait()

    def _item(self, monitor: Monitor) -> Callable[[], None]:
        self._due = False
        return monitor.ask

    def _ended(self, answered: bool) -> None:
        self._since_item += answered
        if self._monitor is not None and self._since_item >= self._every:
            self._since_item = 0
            self._dropped += self._due  # one item may wait for a free moment, no more
            self._due = True
        self._woken.set()

    async def _health(self, _: Request) -> JSONResponse:
        loaded = self._queue.app is not None
        content = {
            "status": "ok" if loaded else "loading",
            "model": self._name,
            "gain": None if self._model is None else self._applied(),
        }
        return JSONResponse(content, status_code=200 if loaded else 503)

    def _applied(self) -> float:
        """Return the gain of the answers: the live model's own is another one while the guard measures."""
        if self._monitor is not None:
            return self._monitor.state.gain
        return 0.0 if self._model is None else self._model.gain

    async def _metrics(self, _: Request) -> PlainTextResponse:
        return PlainTextResponse(exposition(self._samples()), media_type=CONTENT_TYPE)

    def _samples(self) -> list[Sample]:
        tally = self._queue.tally
        samples = [
            Sample("requests_total", "counter", "Requests that were let in.", tally.admitted),
            Sample("answers_total", "counter", "Completions and chats that came out whole.", tally.answered),
            Sample("refused_total", "counter", "Requests sent away with 503: the queue was full.", tally.refused),
            Sample("stalled_total", "counter", "Clients dropped because they took nothing.", tally.stalled),
            Sample(
                "queue_waiting", "gauge", "Requests that wait behind the one being answered.", waiting(tally.inside)
            ),
            Sample("request_seconds_sum", "counter", "Seconds from admission to end, waiting included.", tally.seconds),
            Sample("request_seconds_count", "counter", "Requests that have ended.", tally.ended),
        ]
        if self._model is not None:
            counts, meaning = self._model.counts, "Tokens of prompts (read) and of answers (written)."
            gated = "Requests that the gate read: steered (open) and not (shut)."
            samples += [
                Sample("tokens_total", "counter", meaning, counts.read, 'kind="read"'),
                Sample("tokens_total", "counter", meaning, counts.written, 'kind="written"'),
                Sample("gated_total", "counter", gated, counts.opened, 'gate="open"'),
                Sample("gated_total", "counter", gated, counts.shut, 'gate="shut"'),
                Sample("gain", "gauge", "What the control vector is multiplied with.", self._applied()),
            ]
        if self._monitor is not None:
            state = self._monitor.state
            unsaved = self._monitor.unsaved
            samples += [
                Sample("window_bias", "gauge", "Per cent of stereotypes in the window of judged outputs.", bias(state)),
                Sample("judged_total", "counter", "Monitor outputs judged since the loop began.", state.judged),
                Sample(
                    "monitor_dropped_total", "counter", "Monitor items dropped: requests were waiting.", self._dropped
                ),
                Sample("unsaved_total", "counter", "States that could not be written.", unsaved),
            ]
        return samples


def waiting(inside: int) -> int:
    """Return the requests that wait, of those inside: all but the one that is being answered."""
    return max(inside - 1, 0)
