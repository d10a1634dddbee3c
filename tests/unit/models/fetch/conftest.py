"""Real wheels and real GGUF files, small, and a package index that is a folder."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes as its only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def make_wheel(index: Path) -> Callable[..., Path]:
    """Write ``carrier==1.0``, or a package of another name, with these members into the index."""

    def make(members: dict[str, bytes], name: str = "carrier") -> Path:
        path = index / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for member, content in members.items():
                archive.writestr(member, content)
            archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            archive.writestr(f"{name}-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
            archive.writestr(f"{name}-1.0.dist-info/RECORD", "")
        return path

    return make


@pytest.fixture
def gguf_file(tmp_path: Path) -> Path:
    """A whole GGUF file with two tensors."""
    numpy = pytest.importorskip("numpy")
    gguf = pytest.importorskip("gguf")
    path = tmp_path / "whole.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("a.weight", numpy.ones((8, 32), dtype=numpy.float32))
    writer.add_tensor("b.weight", numpy.zeros((16, 32), dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def sha256() -> Callable[[Path], str]:
    """SHA-256 of a file, by another road than the code under test."""
    return lambda path: hashlib.sha256(path.read_bytes()).hexdigest()
