"""The quick GGUF reader against gguf-py's own."""

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from edgebias.core.errors import InputError
from edgebias.models.gguf import HeaderReader, QuickReader, open_gguf, open_header

ENDIANS = pytest.mark.parametrize("endian", [gguf.GGUFEndian.LITTLE, gguf.GGUFEndian.BIG])


def written(path: Path, endian: gguf.GGUFEndian) -> Path:
    """A file with an array of each kind, single values and tensors."""
    writer = gguf.GGUFWriter(path, "llama", endianess=endian)
    writer.add_token_list(["", "a", "ünïcode", "x" * 300])
    writer.add_array("numbers", [1, 2, 3])
    writer.add_array("shares", [0.5, -1.25])
    writer.add_array("flags", [True, False])
    writer.add_string("empty", "")
    writer.add_float64("pi", 3.25)
    writer.add_tensor("a.weight", np.arange(12, dtype=np.float32).reshape(3, 4))
    writer.add_tensor("b.weight", np.ones(8, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@ENDIANS
def test_every_field_and_tensor_is_that_of_gguf_py(tmp_path: Path, endian: gguf.GGUFEndian) -> None:
    path = written(tmp_path / "model.gguf", endian)
    expected, found = gguf.GGUFReader(path), QuickReader(path)
    assert list(found.fields) == list(expected.fields)
    for key, field in expected.fields.items():
        quick = found.fields[key]
        assert (quick.contents(), quick.types, quick.data) == (field.contents(), field.types, field.data), key
        assert [bytes(part) for part in quick.parts] == [bytes(part) for part in field.parts], key
    assert_same_tensors(found, expected)


def assert_same_tensors(found: gguf.GGUFReader, expected: gguf.GGUFReader) -> None:
    for ours, theirs in zip(found.tensors, expected.tensors, strict=True):
        assert (ours.name, ours.tensor_type, ours.data_offset) == (theirs.name, theirs.tensor_type, theirs.data_offset)
        np.testing.assert_array_equal(ours.data, theirs.data)


@ENDIANS
def test_a_header_has_all_but_the_arrays(tmp_path: Path, endian: gguf.GGUFEndian) -> None:
    path = written(tmp_path / "model.gguf", endian)
    expected, found = gguf.GGUFReader(path), HeaderReader(path)
    single = [key for key, field in expected.fields.items() if field.types[0] != gguf.GGUFValueType.ARRAY]
    assert list(found.fields) == single
    assert len(single) < len(expected.fields)
    for key in single:
        assert found.fields[key].contents() == expected.fields[key].contents(), key
    assert_same_tensors(found, expected)


@pytest.mark.parametrize("read", [open_gguf, open_header])
def test_a_file_cut_anywhere_is_refused(tiny: Path, tmp_path: Path, read: Callable[[Path], gguf.GGUFReader]) -> None:
    whole = tiny.read_bytes()
    for share in range(1, 20):
        cut = tmp_path / f"{share}.gguf"
        cut.write_bytes(whole[: len(whole) * share // 20])
        with pytest.raises(InputError, match="not a whole GGUF file"):
            read(cut)
