"""What cannot be served is refused in one line before a port is opened."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.mitigate.steering.vector_file import write_control_vector

main = command("serve")


def refused(*arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        main([str(argument) for argument in ("--port", 0, "--context", 256, *arguments)])
    return str(caught.value)


@pytest.mark.slow
def test_the_command_ends_with_one_line_and_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgebias", "serve", "--weights", str(tmp_path / "none.gguf")]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(f"error: {tmp_path}/none.gguf: no such file")


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "--online --monitor data/items/edge/stereoset.parquet" in capsys.readouterr().out


def test_a_file_that_is_no_model(tmp_path: Path, vector: Path) -> None:
    (tmp_path / "text.gguf").write_text("no model", encoding="utf-8")
    assert "not a GGUF file" in refused("--weights", tmp_path / "text.gguf")
    assert "not of a language model" in refused("--weights", vector)


def test_a_vector_that_is_absent_damaged_a_model_or_another_model_s(tiny: Path, vector: Path, tmp_path: Path) -> None:
    damaged, other, strange = tmp_path / "damaged.gguf", tmp_path / "other.gguf", tmp_path / "strange.gguf"
    damaged.write_bytes(vector.read_bytes()[:120])
    write_control_vector(np.zeros((5, 16), np.float32), other, "llama")
    write_control_vector(np.zeros((2, 32), np.float32), strange, "qwen2")
    serve = ("--weights", tiny, "--control-vector")
    assert "no such file" in refused(*serve, tmp_path / "none.gguf")
    assert "not a whole GGUF file" in refused(*serve, damaged)
    assert "not a control vector but 'llama'" in refused(*serve, tiny)
    assert "of 16 values does not fit a model" in refused(*serve, other)
    assert "made for 'qwen2'" in refused(*serve, strange)


def test_a_gain_without_a_vector_or_beyond_all_numbers(tiny: Path, vector: Path) -> None:
    assert "--control-vector" in refused("--weights", tiny, "--gain", 2)
    assert "finite" in refused("--weights", tiny, "--control-vector", vector, "--gain", "inf")


def test_a_gate_without_a_vector_or_of_another_model(tiny: Path, vector: Path, tmp_path: Path) -> None:
    (tmp_path / "gate.json").write_text('{"normal": [1.0, 2.0], "threshold": 0.5}', encoding="utf-8")
    gate = ("--gate", tmp_path / "gate.json")
    assert "--control-vector" in refused("--weights", tiny, *gate)
    assert "gate.json: is no gate of a model of width 32" in refused(
        "--weights", tiny, "--control-vector", vector, *gate
    )


def test_a_context_that_the_model_does_not_have(tiny: Path) -> None:
    assert "was trained for 512" in refused("--weights", tiny, "--context", 4096)


def test_a_port_that_is_taken(tiny: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert "cannot be used" in refused("--weights", tiny, "--port", taken.getsockname()[1])


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1", "", "a..b"])
def test_a_host_that_is_not_of_this_machine(tiny: Path, host: str) -> None:
    assert refused("--weights", tiny, "--host", host).startswith(f"--host: {host!r} is no address of this machine")


@pytest.mark.parametrize("port", [65536, 99999, -1])
def test_a_port_that_there_is_not(tiny: Path, port: int) -> None:
    """The system would take the rest of a division for it."""
    assert "Invalid value for '--port'" in refused("--weights", tiny, "--port", port)


@pytest.mark.slow
def test_the_address_of_the_other_protocol_is_written_as_a_url(serving: Callable[..., Any], tiny: Path) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on this machine")
    with serving("--weights", tiny, "--host", "::1") as server:
        assert server.url.startswith("http://[::1]:")
        assert server.get("/v1/models").status_code == 200


def test_a_key_that_is_not_there(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY_KEY", "")
    assert "EMPTY_KEY is not set" in refused("--weights", tiny, "--api-key-env", "EMPTY_KEY")


def test_a_loop_that_lacks_something(tiny: Path, vector: Path, monitor: Path, online: list[object]) -> None:
    assert "--monitor: is missing" in refused("--weights", tiny, "--online")
    without_state = refused("--weights", tiny, *online)
    assert "--state: is missing" in without_state
    assert "--answers: is missing" in refused("--weights", tiny, *online[:7])
    files = ["--control-vector", vector, *online[3:9], "--state", "state.json"]
    assert "--proportional: is missing" in refused("--weights", tiny, "--online", *files)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--max-gain", "0"], "mitigate.max_gain is 0.0; a number above 0"),
        (["--gain", "5"], "beyond --max-gain"),
        (["--perplexity-budget", "-1"], "mitigate.perplexity_budget is -1.0; a number of at least 0"),
        (["--settings", '{"mitigate": 3}'], "mitigate must be a mapping"),
        (["--settings", '{"seed": "x"}'], "seed: a whole number"),
    ],
)
def test_a_loop_that_is_impossible(
    tiny: Path, online: list[object], tmp_path: Path, flags: list[str], reason: str
) -> None:
    numbers = ["--proportional", 1, "--integral", 1, "--max-gain", 4, "--window", 8, "--perplexity-budget", 0.1]
    assert reason in refused("--weights", tiny, *online, *numbers, "--state", tmp_path / "s.json", *flags)


def test_a_state_of_other_settings(tiny: Path, online: list[object], tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"identity": {"model": "other"}, "state": {}}), encoding="utf-8")
    assert "its model is 'other'" in refused("--weights", tiny, *online, "--state", path)
