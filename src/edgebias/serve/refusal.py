"""What is sent instead of an answer: an error in OpenAI's form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

SHOWN = 80
"""Characters of a client's own text that a message repeats."""


class Refused(Exception):
    """A request that is not answered, and why.

    Args:
        message: what is wrong and the way out.
        param: the field, as ``messages[0].content``; None where it is no field.
        code: the reason as a word, for programs.
        status: of HTTP.
    """

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status

    def response(self, headers: Mapping[str, str] | None = None) -> Response:
        """Return it as a response, from which OpenAI's client makes the right exception."""
        return json_response(error_content(str(self), self.param, self.code, self.status), self.status, headers)


def error_content(message: str, param: str | None, code: str | None, status: int) -> dict[str, Any]:
    """Return OpenAI's error object; the server's own faults have another type than the client's."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def as_json(content: Any) -> str:
    """Return ``content`` in ASCII and without a `<`: nothing of a client's or a model's text is a line end or a tag."""
    return json.dumps(content).replace("<", "\\u003c")


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return ``content`` as a response."""
    safe = {"X-Content-Type-Options": "nosniff", **(headers or {})}
    return Response(as_json(content), status, safe, media_type="application/json")


def shown(text: str) -> str:
    """Return a client's own ``text`` for a message: in quotes, escaped, not too long."""
    return ascii(text if len(text) <= SHOWN else text[:SHOWN] + "...")
