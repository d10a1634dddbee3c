"""A scripted endpoint, and an environment that asks it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_endpoint import KEY, VARIABLE, Scripted


@pytest.fixture
def endpoint() -> Iterator[Scripted]:
    server = Scripted()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def environment(endpoint: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv(VARIABLE, KEY)
    return {
        "backend": "openai",
        "endpoint": endpoint.url,
        "api_key_env": VARIABLE,
        "max_retries": 1,
        "timeout_s": 5,
        "store": str(tmp_path / "answers.sqlite"),
    }
