"""The exported control vector: llama.cpp's keys and names, and a faithful way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFEndian, GGUFReader, GGUFWriter

from edgebias.core.errors import InputError
from edgebias.mitigate.steering.vector_file import check_hint, read_control_vector, write_control_vector


def vector() -> np.ndarray:
    values = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    values[0] = 0.0
    return values


def test_a_written_vector_reads_back_bit_for_bit(tmp_path: Path) -> None:
    write_control_vector(vector(), tmp_path / "vector.gguf", "llama")
    np.testing.assert_array_equal(read_control_vector(tmp_path / "vector.gguf", 4, 8), vector())


def test_the_file_has_the_keys_and_tensors_that_llama_cpp_loads(tmp_path: Path) -> None:
    write_control_vector(vector(), tmp_path / "vector.gguf", "llama")
    reader = GGUFReader(tmp_path / "vector.gguf")
    keys = ("general.architecture", "controlvector.model_hint", "controlvector.layer_count")
    found = [field.contents() for key in keys if (field := reader.get_field(key)) is not None]
    assert found == ["controlvector", "llama", 3]
    assert [tensor.name for tensor in reader.tensors] == ["direction.1", "direction.2", "direction.3"]
    assert {tensor.tensor_type.name for tensor in reader.tensors} == {"F32"}


def test_block_zero_cannot_be_steered(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="block 0"):
        write_control_vector(np.ones((4, 8), dtype=np.float32), tmp_path / "vector.gguf", "llama")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("shape", [(3, 8), (4, 16)])
def test_a_vector_of_another_model_is_refused(tmp_path: Path, shape: tuple[int, int]) -> None:
    write_control_vector(vector(), tmp_path / "vector.gguf", "llama")
    with pytest.raises(InputError, match="fit a vector for this model"):
        read_control_vector(tmp_path / "vector.gguf", *shape)


def test_absent_and_broken_files_are_one_line_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_control_vector(tmp_path / "absent.gguf", 4, 8)
    (tmp_path / "broken.gguf").write_bytes(b"GGUF")
    with pytest.raises(InputError, match="GGUF"):
        read_control_vector(tmp_path / "broken.gguf", 4, 8)


def foreign(
    path: Path,
    directions: dict[str, np.ndarray],
    *,
    hint: str | None = "mistral",
    architecture: str = "controlvector",
    endian: GGUFEndian = GGUFEndian.LITTLE,
    kind: GGMLQuantizationType | None = None,
) -> Path:
    """A control vector as another program writes it."""
    writer = GGUFWriter(path, architecture, endianess=endian)
    if hint is not None:
        writer.add_string("controlvector.model_hint", hint)
    writer.add_uint32("controlvector.layer_count", len(directions))
    for name, values in directions.items():
        writer.add_tensor(name, values, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def directions(*blocks: int, width: int = 8, dtype: type = np.float32) -> dict[str, np.ndarray]:
    return {f"direction.{block}": np.full(width, block + 0.5, dtype=dtype) for block in blocks}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (directions(1, 2, 3), [0, 1.5, 2.5, 3.5]),
        (directions(3, 1), [0, 1.5, 0, 3.5]),  # in any order, and not of every block
        (directions(1, 2, 3, dtype=np.float16), [0, 1.5, 2.5, 3.5]),
        (directions(1) | {"direction.2": np.full((1, 8), 2.5, dtype=np.float32)}, [0, 1.5, 2.5, 0]),
        (directions(2) | {"direction.0": np.zeros(8, dtype=np.float32)}, [0, 0, 2.5, 0]),
    ],
)
def test_vectors_of_other_programs_are_read(made: dict[str, np.ndarray], expected: list[float], tmp_path: Path) -> None:
    found = read_control_vector(foreign(tmp_path / "v.gguf", made), 4, 8)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.repeat(np.array(expected)[:, None], 8, axis=1))


def test_a_vector_in_brain_floats_is_converted(tmp_path: Path) -> None:
    halves = {"direction.1": (np.full(8, 1.5, np.float32).view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)}
    path = foreign(tmp_path / "v.gguf", halves, kind=GGMLQuantizationType.BF16)
    np.testing.assert_array_equal(read_control_vector(path, 4, 8)[1], np.full(8, 1.5))


def not_finite(value: float, dtype: type = np.float32) -> dict[str, np.ndarray]:
    made = directions(1, 2, dtype=dtype)
    made["direction.2"][3] = value
    return made


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (not_finite(np.nan), r"direction\.2 has a value that is no finite number"),
        (not_finite(-np.inf), r"direction\.2 has a value that is no finite number"),
        (not_finite(np.inf, np.float16), r"direction\.2 has a value that is no finite number"),
        (directions(0, 1, 2), r"direction\.0 steers block 0, which llama\.cpp cannot"),
        (directions(1, 2, 3, 4), r"direction\.4 of 8 values does not fit a model of blocks 0 to 3"),
        (directions(999999), r"direction\.999999 of 8 values does not fit"),
        (directions(1, width=16), r"direction\.1 of 16 values does not fit .* width 8"),
        (directions(1, width=4), r"direction\.1 of 4 values does not fit"),
        ({"direction.x": np.ones(8, np.float32)}, "'direction.x' is no direction of a block"),
        ({"direction.-1": np.ones(8, np.float32)}, "'direction.-1' is no direction of a block"),
        ({"direction.01": np.ones(8, np.float32)}, "'direction.01' is no direction of a block"),
        ({"direction.\u0661": np.ones(8, np.float32)}, "is no direction of a block"),
        ({"blk.1.attn_q.weight": np.ones(8, np.float32)}, "'blk.1.attn_q.weight' is no direction of a block"),
        ({"direction.1": np.ones(8, np.int32)}, r"direction\.1 is of type I32, which cannot be decoded"),
        ({"direction.1": np.ones(8, np.float64)}, r"direction\.1 is of type F64, which cannot be decoded"),
        ({}, "a control vector without any direction"),
    ],
)
def test_unfit_vectors_of_other_programs_are_refused(made: dict[str, np.ndarray], reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        read_control_vector(foreign(tmp_path / "v.gguf", made), 4, 8)
    assert "\n" not in str(caught.value)


def test_a_vector_of_the_other_byte_order_is_refused(tmp_path: Path) -> None:
    path = foreign(tmp_path / "v.gguf", directions(1), endian=GGUFEndian.BIG)
    with pytest.raises(InputError, match="big-endian"):
        read_control_vector(path, 4, 8)


@pytest.mark.parametrize("architecture", ["llama", "adapter"])
def test_another_kind_of_file_is_refused(architecture: str, tmp_path: Path) -> None:
    path = foreign(tmp_path / "v.gguf", directions(1), architecture=architecture)
    with pytest.raises(InputError, match=f"not a control vector but '{architecture}'"):
        read_control_vector(path, 4, 8)


def model(path: Path, architecture: str = "llama", blocks: int = 4) -> Path:
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(blocks)
    writer.add_embedding_length(8)
    writer.add_tensor("token_embd.weight", np.ones((4, 8), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("hint", "blocks"),
    [("llama", (1, 2, 3)), ("llama", (2,)), ("mistral", (1, 2, 3)), ("mistral", (3,)), (None, (1,)), ("", (1, 2, 3))],
)
def test_a_vector_under_another_name_fits_where_its_blocks_do(
    hint: str | None, blocks: tuple[int, ...], tmp_path: Path
) -> None:
    check_hint(foreign(tmp_path / "v.gguf", directions(*blocks), hint=hint), model(tmp_path / "m.gguf"))


@pytest.mark.parametrize(("hint", "blocks"), [("qwen2", (1, 2)), ("mistral", (1, 2, 3, 4, 5)), ("gemma3", (1,))])
def test_a_vector_under_another_name_and_of_other_blocks_is_refused(
    hint: str, blocks: tuple[int, ...], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=f"made for '{hint}' .* is 'llama' with blocks 0 to 3"):
        check_hint(foreign(tmp_path / "v.gguf", directions(*blocks), hint=hint), model(tmp_path / "m.gguf"))


def test_a_hint_that_is_no_text_is_refused(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "v.gguf", "controlvector")
    writer.add_uint32("controlvector.model_hint", 3)
    writer.add_tensor("direction.1", np.ones(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError, match=r"controlvector\.model_hint is '3', no text"):
        check_hint(tmp_path / "v.gguf", model(tmp_path / "m.gguf"))
