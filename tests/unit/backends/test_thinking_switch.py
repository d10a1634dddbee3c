"""A model that thinks is told not to by a variable of its chat template: locally, over loopback and by an endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgebias import config
from edgebias.backends.base import GenerationRequest, GenerationSettings, Message, Prompt
from edgebias.backends.registry import open_backend
from edgebias.core.errors import InputError

ROOT = Path(__file__).resolve().parents[3]
ASKED = [GenerationRequest(Prompt(messages=(Message("user", "Who was it?"),)))]
NO_THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
WRITTEN_BY_IT = "<think>\n\n</think>\n\n"
"""What the template of the tiny model then writes: a token for each character, of a vocabulary of single bytes."""


def prompt_tokens(environment: dict[str, Any], model: dict[str, Any], weights: Path) -> int:
    with open_backend({"threads": 1, "context": 256, **environment}, model, weights) as backend:
        list(backend.generate(ASKED, GenerationSettings(max_new_tokens=1)))
        return backend.usage().prompt_tokens


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [{"backend": "llama"}, {"backend": "torch"}, {"backend": "openai", "endpoint": "loopback"}],
    ids=["llama", "torch", "loopback"],
)
def test_a_variable_of_the_template_reaches_the_prompt(environment: dict[str, Any], tiny: Any) -> None:
    weights = tiny.folder if environment["backend"] == "torch" else tiny.gguf
    plain = prompt_tokens(environment, {}, weights)
    assert prompt_tokens(environment, {"chat_template_kwargs": None}, weights) == plain
    assert prompt_tokens(environment, {"chat_template_kwargs": {"enable_thinking": True}}, weights) == plain
    assert prompt_tokens(environment, NO_THINKING, weights) > plain + len(WRITTEN_BY_IT) // 2


class Service(BaseHTTPRequestHandler):
    """Answers every chat alike and keeps what it was sent."""

    asked: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "B"}}
        body = json.dumps({"object": "chat.completion", "model": "m", "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return None


@pytest.fixture
def service() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    handler = type("Asked", (Service,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/v1", handler.asked  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("model", "extra", "sent"),
    [
        (NO_THINKING, None, {"enable_thinking": False}),
        ({"chat_template_kwargs": {"reasoning_effort": "low"}}, {"top_k": 0}, {"reasoning_effort": "low"}),
        (NO_THINKING, {"chat_template_kwargs": {"thinking": False}}, {"thinking": False}),
        ({}, None, None),
        ({"chat_template_kwargs": {}}, None, None),
    ],
)
def test_an_endpoint_is_sent_the_variables(
    model: dict[str, Any], extra: dict[str, Any] | None, sent: object, service: tuple[str, list[dict[str, Any]]]
) -> None:
    url, asked = service
    environment = {"backend": "openai", "endpoint": url, "store": None, "extra": extra}
    with open_backend(environment, {"endpoint_model": "m", **model}, None) as backend:
        assert [answer.text for answer in backend.generate(ASKED, GenerationSettings(2048))] == ["B"]
    assert asked[0].get("chat_template_kwargs") == sent
    assert asked[0]["max_tokens"] == 2048


def test_a_parameter_file_gives_a_thinking_model_room_or_tells_it_not_to() -> None:
    given: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    name = next(iter(given["models"]))
    changed = config.merge(given, {"models": {name: NO_THINKING}, "infer": {"max_new_tokens": 4096}})
    checked = config.check(changed, "a file")
    assert checked["models"][name]["chat_template_kwargs"] == {"enable_thinking": False}
    assert checked["infer"]["max_new_tokens"] == 4096
    with pytest.raises(InputError, match="chat_template_kwargs"):
        config.check(config.merge(given, {"models": {name: {"chat_template_kwargs": "no"}}}), "a file")
