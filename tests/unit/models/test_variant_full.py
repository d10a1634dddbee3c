"""The full-precision build: exact decoding, metadata, bad files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from edgebias.backends.local.prompt_tokens import START_TOKEN_KEY
from edgebias.core.errors import InputError
from edgebias.models.full import to_f16, write_full
from edgebias.models.gguf import metadata, open_gguf
from edgebias.models.quantise import write_quantised


def decode_q4_1(raw: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Q4_1 by its definition: 32 weights a block, F16 scale d and minimum m, w = d q + m, low nibbles first."""
    blocks = raw.reshape(-1, 20)
    d = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    m = blocks[:, 2:4].copy().view(np.float16).astype(np.float32)
    q = np.concatenate([blocks[:, 4:] & 15, blocks[:, 4:] >> 4], axis=1).astype(np.float32)
    return (d * q + m).reshape(shape)


def test_blocks_are_decoded_exactly_and_rounded_once(tiny: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "q4_1.gguf", tmp_path / "full.gguf"
    write_quantised(tiny, source, "Q4_1")
    write_full(source, target, "<|endoftext|>")
    before = {tensor.name: tensor for tensor in open_gguf(source).tensors}
    decoded = 0
    for tensor in open_gguf(target).tensors:
        old = before[tensor.name]
        if old.tensor_type == gguf.GGMLQuantizationType.Q4_1:
            expected = decode_q4_1(np.asarray(old.data), tensor.data.shape).astype(np.float16)
            np.testing.assert_array_equal(tensor.data, expected)
            decoded += 1
        elif len(tensor.shape) == 1:
            assert tensor.tensor_type == gguf.GGMLQuantizationType.F32
            np.testing.assert_array_equal(tensor.data, old.data)
    assert decoded == 14


def test_metadata_is_carried_over(tiny: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "q4_1.gguf", tmp_path / "full.gguf"
    write_quantised(tiny, source, "Q4_1")
    write_full(source, target, "<|endoftext|>")
    old, new = open_gguf(source), open_gguf(target)
    keys = {key for key in old.fields if not key.startswith("GGUF.")}
    assert {key for key in new.fields if not key.startswith("GGUF.")} == keys | {START_TOKEN_KEY}
    changed = {key for key in keys if metadata(old, key) != metadata(new, key)}
    assert changed == {"general.file_type"}
    assert metadata(new, "general.file_type") == 1
    assert [tensor.name for tensor in new.tensors] == [tensor.name for tensor in old.tensors]


def test_an_f16_source_keeps_its_bits(make_tiny: Callable[..., dict[str, np.ndarray]], tmp_path: Path) -> None:
    weights = make_tiny(tmp_path / "source.gguf")
    write_full(tmp_path / "source.gguf", tmp_path / "full.gguf", None)
    reader = open_gguf(tmp_path / "full.gguf")
    for tensor in reader.tensors:
        np.testing.assert_array_equal(tensor.data, weights[tensor.name])
    assert metadata(reader, START_TOKEN_KEY) is None


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.02, 0.3, 0.9, 0.9999])
def test_a_truncated_source_is_refused(tiny: Path, tmp_path: Path, share: float) -> None:
    whole = tiny.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(InputError, match=r"cut\.gguf: not a whole GGUF file"):
        write_full(cut, tmp_path / "full.gguf", None)
    assert not list(tmp_path.glob("*full*"))


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_text("<html>not found</html>" * 50, encoding="utf-8")
    with pytest.raises(InputError, match=r"page\.gguf: not a GGUF file"):
        write_full(path, tmp_path / "full.gguf", None)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        write_full(tmp_path / "none.gguf", tmp_path / "full.gguf", None)


def test_a_weight_outside_f16_is_refused() -> None:
    with pytest.raises(InputError, match="tensor odd"):
        to_f16(np.array([1.0, 70000.0], dtype=np.float32), "odd")
