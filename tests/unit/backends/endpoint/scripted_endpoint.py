"""An endpoint that says whatever a test tells it to say, and keeps what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from edgebias.backends.base import Generation, GenerationRequest, GenerationSettings, Message, Prompt
from edgebias.backends.registry import open_backend

VARIABLE = "EDGEBIAS_TEST_KEY"
KEY = "sk-very-secret-0123456789"


@dataclass(frozen=True)
class Said:
    """A response: bytes and texts go out as they are, anything else as JSON."""

    body: Any = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    missing: int = 0
    """How many bytes of the promised length are never sent."""


def completion(content: Any = "B", **choice: Any) -> dict[str, Any]:
    """A chat completion as OpenAI writes it; ``choice`` changes its only choice."""
    message = {"role": "assistant", "content": content}
    return {
        "object": "chat.completion",
        "model": "served-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message} | choice],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4},
    }


class Scripted(ThreadingHTTPServer):
    """``says`` makes the response to a body and its headers; ``bodies`` and ``headers`` are what came."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        self.says: Callable[[dict[str, Any], dict[str, str]], Said] = lambda body, headers: Said(completion())
        self.lock = threading.Lock()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []

    @property
    def asked(self) -> list[str]:
        """The last message of each request, in the order in which they came."""
        return [body["messages"][-1]["content"] for body in self.bodies]

    def says_in_turn(self, *responses: Said) -> None:
        """Say one after the other, the last for ever."""
        self.says = lambda body, headers: responses[min(len(self.bodies), len(responses)) - 1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: connections that break are the point."""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: Scripted
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            self.server.bodies.append(body)
            self.server.headers.append(headers)
            said = self.server.says(body, headers)
        data = said.body if isinstance(said.body, bytes | str) else json.dumps(said.body)
        data = data.encode() if isinstance(data, str) else data
        self.send_response(said.status)
        sent = {"Content-Type": "application/json", "Content-Length": str(len(data))} | said.headers
        for name, value in sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) - said.missing])
        self.close_connection = self.close_connection or bool(said.missing)

    def log_message(self, format: str, *args: Any) -> None:
        return None


def question(content: str, options: tuple[str, ...] = ()) -> GenerationRequest:
    return GenerationRequest(Prompt(messages=(Message("user", content),)), 0, options)


def ask(
    environment: dict[str, Any], *contents: str, options: tuple[str, ...] = ()
) -> tuple[list[Generation], dict[str, str]]:
    """Ask each content, and return the answers and the notes of the cost file."""
    with open_backend(environment, {"endpoint_model": "m-1"}, None) as backend:
        requests = [question(content, options) for content in contents or ("Q?",)]
        answers = list(backend.generate(requests, GenerationSettings(max_new_tokens=8)))
        return answers, dict(backend.usage().notes)
