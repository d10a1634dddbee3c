"""Any OpenAI-compatible endpoint over HTTP: several requests at once, each until it is answered, none paid twice."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception, sleep_using_event, stop_after_attempt

from edgebias.backends.base import (
    ContextError,
    Generation,
    GenerationRequest,
    GenerationSettings,
    OptionRequest,
    OptionScores,
    Usage,
)
from edgebias.backends.endpoint.address import LOOPBACK
from edgebias.backends.endpoint.budget import Spending, highest_cost
from edgebias.backends.endpoint.chat_completion import (
    Completion,
    option_scores,
    read_completion,
    refused_prompt,
    request_body,
)
from edgebias.backends.endpoint.loopback_server import loopback_server
from edgebias.backends.endpoint.refusal import error_status, plain_line, read_refusal, words_of
from edgebias.backends.endpoint.retry import asked_seconds, wait_as_asked
from edgebias.backends.endpoint.secret import Secret
from edgebias.backends.endpoint.settings import read_endpoint_settings
from edgebias.backends.endpoint.wire import Reply, Wire, WireError
from edgebias.backends.local.sampling import cut_at_stop
from edgebias.backends.store.paid_answers import PaidAnswers, content_key
from edgebias.core.errors import InputError

PURE_SAMPLING: Mapping[str, Any] = {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0}
"""What turns llama-cpp-python's default filters off; hosted endpoints know none of these keys."""


@dataclass(eq=False)
class _TryError(Exception):
    """A try that brought no answer.

    Attributes:
        reason: what happened.
        way_out: what to do about it.
        transient: whether another try makes sense.
        maybe_charged: whether the endpoint may have charged for it.
        too_long: whether the prompt is longer than the model's context.
        headers: of the response, where there was one.
        text: its body.
    """

    reason: str
    way_out: str
    transient: bool = True
    maybe_charged: bool = True
    too_long: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = field(default="", repr=False)


class _StoppedError(Exception):
    """A request that was given up because another failed for good."""


class _Batch:
    """What the requests of one call share: whether they go on, and who asks where two are the same."""

    def __init__(self) -> None:
        self.stop = threading.Event()
        self.fault: BaseException | None = None
        self._lock = threading.Lock()
        self._turns: dict[str, threading.Lock] = {}

    def fail(self, fault: BaseException) -> None:
        """Keep the first fault and start nothing more."""
        with self._lock:
            self.fault = self.fault or fault
        self.stop.set()

    def check(self) -> None:
        """Raise where another request has failed for good."""
        if self.stop.is_set():
            raise _StoppedError

    @contextmanager
    def turn(self, key: str) -> Iterator[None]:
        """Let one request of those with the same ``key`` go first; the others find its answer in the store."""
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            yield


class OpenAIBackend:
    """A chat endpoint. It has no log-probabilities of texts that it did not write, and says so.

    Args:
        environment: an entry of ``environments`` with ``model`` (the endpoint's own name of it) added; its keys are
            those of `EndpointSettings`, and for ``loopback`` also ``threads``, ``context`` and optionally ``port``.
        weights: the GGUF file that ``loopback`` serves.

    Raises:
        InputError: a setting is bad or missing, the store cannot be used, or the loopback server does not start.
    """

    name = "openai"
    scores_options = False

    def __init__(self, environment: Mapping[str, Any], weights: Path | None) -> None:
        self._settings = read_endpoint_settings(environment)
        self._stack = ExitStack()
        self._extra = self._settings.extra
        variables = dict(environment.get("chat_template_kwargs") or {})
        if self._settings.endpoint == LOOPBACK:
            if weights is None:
                raise InputError("endpoint: loopback serves a GGUF file; give --weights")
            server = self._stack.enter_context(
                loopback_server(
                    weights,
                    threads=int(environment.get("threads", 1)),
                    context=int(environment.get("context", 2048)),
                    logprobs=self._settings.logprobs,
                    port=environment.get("port"),
                    template_variables=variables,
                )
            )
            self._settings = replace(
                self._settings, endpoint=server.base_url, key=Secret(server.api_key), model=weights.name
            )
            self._extra = PURE_SAMPLING
        elif variables:
            self._extra = {"chat_template_kwargs": variables, **self._extra}
        self._store: PaidAnswers | None = None
        if self._settings.store is not None:
            prices = {} if self._settings.price is None else {self._settings.model: self._settings.price}
            self._store = PaidAnswers(self._settings.store, self._settings.budget, prices)
            self._stack.callback(self._store.close)
        settings = self._settings
        self._wire = self._stack.enter_context(
            Wire(settings.endpoint, settings.key, timeout_s=settings.timeout_s, connections=settings.concurrency)
        )
        self._lock = threading.Lock()
        """Held while the counts below change."""
        self._prompt_tokens = self._generated_tokens = 0
        self._sent = self._retried = self._replayed = self._maybe_charged = self._refused = 0
        self._usd = 0.0
        self._seconds = 0.0
        self._answered_by: set[str] = set()
        self._fingerprints: set[str] = set()

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        """Refuse.

        Raises:
            InputError: always; a chat endpoint returns no log-probabilities of texts that it did not write.
        """
        raise InputError(
            f"{self._settings.endpoint}: a chat endpoint returns no option log-probabilities; "
            "use format letter, letter_balanced, option_text or open, or the llama or torch backend"
        )

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        """Yield the endpoint's answer to each request's messages, in order.

        Up to ``concurrency`` requests are under way at once. The first that fails for good stops the others: what is
        under way is still waited for and stored, nothing more is sent. Options get scores only where ``logprobs`` is
        set and every one of them is among the first tokens that the endpoint tells (`option_scores`).

        Raises:
            InputError: a prompt is plain text (nothing is sent then), the budget has no room, or the endpoint cannot be
                reached or refuses (URL and reason, no key).
        """
        for index, request in enumerate(requests):
            if request.prompt.text is not None:
                raise InputError(
                    f"request {index}: {self._settings.endpoint} takes messages, not plain text; use a chat format"
                )
        asked = list(enumerate(requests))[skip:]
        alone = min(self._settings.concurrency, len(asked)) <= 1
        with closing(self._in_turn(asked, settings) if alone else self._together(asked, settings)) as answers:
            while True:
                started = time.perf_counter()
                answer = next(answers, None)
                self._seconds += time.perf_counter() - started
                if answer is None:
                    return
                yield answer

    def forget(self) -> None:
        """Do nothing: an endpoint is sent the whole conversation each time."""

    def usage(self) -> Usage:
        """Return tokens as the endpoint counts them and seconds, both without what came from the store.

        ``notes`` say who answered (``model``, ``system_fingerprint``, those of replayed answers included), how many
        requests were sent, retried, replayed from the store and lost so that they may have been charged, how many
        answers the service's filter withheld, and what was spent where there is a price.
        """
        notes = {
            "library": f"httpx2 {httpx2.__version__}",
            "endpoint": self._settings.endpoint,
            "requests_sent": str(self._sent),
            "requests_retried": str(self._retried),
        }
        if self._answered_by:
            notes["model"] = ", ".join(sorted(self._answered_by))
        if self._fingerprints:
            notes["system_fingerprint"] = ", ".join(sorted(self._fingerprints))
        if self._refused:
            notes["answers_refused_by_the_service"] = str(self._refused)
        if self._store is not None:
            notes["answers_replayed"] = str(self._replayed)
            notes["requests_lost_maybe_charged"] = str(self._maybe_charged)
            if self._settings.price is not None:
                notes["usd"] = f"{self._usd:.6f}"
        return Usage(self._prompt_tokens, self._generated_tokens, 0, self._seconds, notes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _in_turn(
        self, requests: Sequence[tuple[int, GenerationRequest]], settings: GenerationSettings
    ) -> Generator[Generation, None, None]:
        batch = _Batch()
        for index, request in requests:
            yield self._answer(index, request, settings, batch)

    def _together(
        self, requests: Sequence[tuple[int, GenerationRequest]], settings: GenerationSettings
    ) -> Generator[Generation, None, None]:
        batch = _Batch()
        pool = ThreadPoolExecutor(self._settings.concurrency, "endpoint")
        try:
            waiting = deque(pool.submit(self._answer, index, request, settings, batch) for index, request in requests)
            while waiting:
                yield waiting.popleft().result()
        except _StoppedError:
            if batch.fault is None:
                raise
            raise batch.fault from None
        finally:
            batch.stop.set()
            pool.shutdown(cancel_futures=True)

    def _answer(
        self, index: int, request: GenerationRequest, settings: GenerationSettings, batch: _Batch
    ) -> Generation:
        options = self._settings
        body = request_body(
            options.model,
            request,
            settings,
            max_tokens_field=options.max_tokens_field,
            omit=options.omit,
            logprobs=options.logprobs,
        )
        body |= self._extra
        try:
            if self._store is None:
                completion = self._ask(index, body, "", batch)
            else:
                key = content_key(options.endpoint, body, request.seed)
                with batch.turn(key):
                    completion = self._stored_or_asked(self._store, index, body, key, batch)
        except _StoppedError:
            raise
        except BaseException as error:
            batch.fail(error)
            raise
        with self._lock:
            self._answered_by |= {completion.model} - {""}
            self._fingerprints |= {completion.fingerprint} - {""}
            self._refused += completion.refused
        cut = None if completion.refused else cut_at_stop(completion.text, settings.stop)
        return Generation(
            completion.text if cut is None else cut,
            completion.generated_tokens or 0,
            option_scores(completion, request.options),
        )

    def _stored_or_asked(
        self, store: PaidAnswers, index: int, body: dict[str, Any], key: str, batch: _Batch
    ) -> Completion:
        stored = store.find(key)
        if stored is None:
            with store.claim(key, batch.check):
                stored = store.find(key)  # another process may have been answered meanwhile
                if stored is None:
                    return self._ask(index, body, key, batch)
        return self._replay(stored)

    def _replay(self, stored: str) -> Completion:
        with self._lock:
            self._replayed += 1
        return read_completion(stored)

    def _ask(self, index: int, body: dict[str, Any], key: str, batch: _Batch) -> Completion:
        """Try until there is an answer, and pay for it."""
        retrying = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, _TryError) and error.transient),
            stop=stop_after_attempt(self._settings.max_retries + 1),
            wait=wait_as_asked,
            sleep=sleep_using_event(batch.stop),
            before_sleep=self._count_retry,
            reraise=True,
        )
        try:
            return retrying(self._try, index, body, key, batch)
        except _TryError as failure:
            raise self._fault(failure, retrying.statistics["attempt_number"]) from failure

    def _try(self, index: int, body: dict[str, Any], key: str, batch: _Batch) -> Completion:
        batch.check()
        ticket = self._reserve(body, key)
        try:
            batch.check()  # reserving may have waited
            reply = self._send(body)
            text = self._answer_of(index, reply, body)
            completion = _read(index, reply, text)
        except _StoppedError:
            self._give_back(ticket, maybe_charged=False)
            raise
        except _TryError as failure:
            self._give_back(ticket, maybe_charged=failure.maybe_charged)
            raise
        return self._pay(ticket, key, body, text, completion)

    def _count_retry(self, _: RetryCallState) -> None:
        with self._lock:
            self._retried += 1

    def _reserve(self, body: dict[str, Any], key: str) -> int:
        if self._store is None:
            return 0
        length = body.get(self._settings.max_tokens_field, 0)
        most = highest_cost(body["messages"], length, self._settings.price)
        return self._store.reserve(key, self._settings.model, most)

    def _give_back(self, ticket: int, *, maybe_charged: bool) -> None:
        if self._store is None:
            return
        if maybe_charged:
            self._store.lose(ticket)
            with self._lock:
                self._maybe_charged += 1
        else:
            self._store.release(ticket)

    def _pay(self, ticket: int, key: str, body: dict[str, Any], text: str, completion: Completion) -> Completion:
        prompt, generated = completion.prompt_tokens, completion.generated_tokens
        paid: Spending | None = None
        if prompt is not None and generated is not None:
            price = self._settings.price
            paid = Spending(1, prompt, generated, None if price is None else price.usd(prompt, generated))
        with self._lock:
            self._prompt_tokens += prompt or 0
            self._generated_tokens += generated or 0
            self._usd += (paid.usd if paid is not None else None) or 0.0
        if self._store is None:
            return completion
        kept = self._store.keep(ticket, key, json.dumps(body, ensure_ascii=False, sort_keys=True), text, paid)
        return completion if kept == text else read_completion(kept)

    def _send(self, body: Mapping[str, Any]) -> Reply:
        with self._lock:
            self._sent += 1
        try:
            return self._wire.post(body)
        except WireError as error:
            raise _TryError(error.reason, error.way_out, error.transient, maybe_charged=error.sent) from error

    def _answer_of(self, index: int, reply: Reply, body: Mapping[str, Any]) -> str:
        """Return the body of an answer; that of `refused_prompt` where the service's filter refuses the prompt.

        Raises:
            _TryError: the endpoint does not answer.
        """
        status: int | None = reply.status
        named = f"HTTP {status}"
        if 200 <= reply.status < 300:
            status, named = error_status(reply.text), f"answered request {index} with an error"
            if status is None:
                return reply.text
        assert status is not None
        waits = asked_seconds(reply.headers, text=reply.text) is not None
        refusal = read_refusal(status, reply.headers, reply.text, body, self._extra, waits=waits)
        if refusal.filtered:
            return refused_prompt(refusal.words)
        raise _TryError(
            f"{named}: {refusal.words}",
            refusal.way_out,
            transient=refusal.transient,
            maybe_charged=refusal.maybe_charged,
            too_long=refusal.too_long,
            headers=reply.headers,
            text=reply.text,
        )

    def _fault(self, failure: _TryError, tries: int) -> InputError:
        asked = f" (asked {tries} times)" if tries > 1 else ""
        kind = ContextError if failure.too_long else InputError
        return kind(f"{self._settings.endpoint}: {plain_line(failure.reason)}{asked}; {failure.way_out}")


def _read(index: int, reply: Reply, text: str) -> Completion:
    try:
        return read_completion(text)
    except ValueError as error:
        said = words_of(text)
        reason = f"answered request {index} with " + (f"{error}: {said}" if said else "an empty body")
        way_out = "check that endpoint is an OpenAI-compatible base URL (it mostly ends in /v1)"
        raise _TryError(reason, way_out, headers=reply.headers) from error
