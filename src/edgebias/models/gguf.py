"""Reading and rewriting GGUF files: bad files become one plain line, metadata is carried over unchanged."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType, GGUFEndian, GGUFReader, GGUFValueType, GGUFWriter
from gguf.gguf_reader import ReaderField, ReaderTensor
from gguf.quants import dequantize

from edgebias.core.errors import InputError

START_TOKEN_KEY = "edgebias.start_token"
"""Metadata key with the text of the token that a sentence without context follows.

Written by ``full`` from ``models.{model}.start_token`` and inherited by every build, so that a build
can be measured from its file alone. llama.cpp ignores keys it does not know.
"""

FLOAT_TYPES = (GGMLQuantizationType.F16, GGMLQuantizationType.F32)
Override = tuple[Any, GGUFValueType]


class QuickReader(GGUFReader):  # type: ignore[misc]  # gguf-py has no types for mypy
    """gguf-py's reader without its two costs: slices of ``numpy.memmap``, and a call per element of an array.

    A vocabulary of 49,152 tokens has 250,000 of the former: 0.25 s instead of 3.8 s of processor time. A value beyond
    the end of the file raises ValueError, where gguf-py's slices come back short.
    """

    def _get(
        self,
        offset: int,
        dtype: npt.DTypeLike,
        count: int = 1,
        override_order: Literal["I", "S", "<"] | None = None,
    ) -> npt.NDArray[Any]:
        order = self.byte_order if override_order is None else override_order
        if count == 0:
            return np.empty(0, dtype)
        return np.frombuffer(self.data, np.dtype(dtype).newbyteorder(order), int(count), int(offset))

    def _get_field_parts(
        self, orig_offs: int, raw_type: int
    ) -> tuple[int, list[npt.NDArray[Any]], list[int], list[GGUFValueType]]:
        if raw_type != GGUFValueType.ARRAY:
            parsed: tuple[int, list[npt.NDArray[Any]], list[int], list[GGUFValueType]]
            parsed = super()._get_field_parts(orig_offs, raw_type)
            return parsed
        kind, length = self._get(orig_offs, np.uint32), self._get(orig_offs + 4, np.uint64)
        item, count, start = GGUFValueType(kind[0]), int(length[0]), orig_offs + 12
        types = [GGUFValueType.ARRAY, item] if count else [GGUFValueType.ARRAY]
        if item == GGUFValueType.STRING:
            texts, end = self._strings(start, count)
            return end - orig_offs, [kind, length, *texts], list(range(3, 3 + len(texts), 2)), types
        if item not in self.gguf_scalar_to_np:
            raise ValueError(f"an array of {item.name} at offset {orig_offs}")
        numbers, end = self._numbers(start, count, self.gguf_scalar_to_np[item])
        return end - orig_offs, [kind, length, *numbers], list(range(2, 2 + len(numbers))), types

    def _numbers(self, start: int, count: int, dtype: npt.DTypeLike) -> tuple[list[npt.NDArray[Any]], int]:
        """Return each of ``count`` numbers, and where they end."""
        numbers = self._get(start, dtype, count)
        return list(numbers.reshape(-1, 1)), start + numbers.nbytes

    def _strings(self, start: int, count: int) -> tuple[list[npt.NDArray[Any]], int]:
        """Return the length and bytes of each of ``count`` strings, one after the other, and where they end."""
        length = np.dtype(np.uint64).newbyteorder(self.byte_order)
        parts: list[npt.NDArray[Any]] = []
        for _ in range(count):
            parts.append(np.frombuffer(self.data, length, 1, start))
            size = int(parts[-1][0])
            parts.append(np.frombuffer(self.data, np.uint8, size, start + 8) if size else np.empty(0, np.uint8))
            start += 8 + size
        return parts, start


class HeaderReader(QuickReader):
    """The tensors of a file and its keys of one value; arrays are passed over, and their keys are not there.

    The vocabulary of a small model, in numpy's arrays, takes 50 MB that beside a served model nobody should pay.
    """

    def _push_field(self, field: ReaderField, skip_sum: bool = False) -> int:
        if field.types[0] == GGUFValueType.ARRAY:
            return 0
        size: int = super()._push_field(field, skip_sum)
        return size

    def _numbers(self, start: int, count: int, dtype: npt.DTypeLike) -> tuple[list[npt.NDArray[Any]], int]:
        return [], start + count * np.dtype(dtype).itemsize

    def _strings(self, start: int, count: int) -> tuple[list[npt.NDArray[Any]], int]:
        length = struct.Struct(">Q" if self.endianess == GGUFEndian.BIG else "<Q")
        for _ in range(count):
            start += length.size + length.unpack_from(self.data, start)[0]
        return [], start


def open_gguf(path: Path) -> GGUFReader:
    """Open a GGUF file (memory-mapped); an unchanged file is parsed once, since a vocabulary takes long.

    Raises:
        InputError: the file is absent, cut short, or no GGUF file.
    """
    stat = _present(path).stat()
    return _remembered(path.resolve(), stat.st_ino, stat.st_mtime_ns, stat.st_size)


def open_header(path: Path) -> GGUFReader:
    """Return `open_gguf` without arrays, so without a vocabulary.

    A sixth of the time, and gone from memory once it is read.

    Raises:
        InputError: the file is absent, cut short, or no GGUF file.
    """
    return _parse(_present(path), HeaderReader)


def _present(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: no such file; run the stage that makes it")
    return path


@lru_cache(maxsize=4)
def _remembered(path: Path, _inode: int, _modified: int, _size: int) -> GGUFReader:
    return _parse(path, QuickReader)


def _parse(path: Path, kind: type[QuickReader]) -> GGUFReader:
    try:
        reader = kind(path)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError, struct.error) as error:
        raise InputError(f"{path}: not a whole GGUF file ({error}); fetch or build it again") from error
    if not reader.tensors or "general.architecture" not in reader.fields:
        raise InputError(f"{path}: a GGUF file, but not of a model (no tensors or no architecture); choose a model")
    return reader


def metadata(reader: GGUFReader, key: str) -> Any:
    """Return the value of a metadata key, ``None`` where the file lacks it."""
    field = reader.get_field(key)
    return None if field is None else field.contents()


def values(tensor: ReaderTensor) -> npt.NDArray[np.float32]:
    """Return the weights of a tensor as float32, in numpy's shape (rows are outputs), decoded by gguf-py."""
    return np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)


def rewrite(
    source: GGUFReader,
    target: Path,
    type_of: Callable[[ReaderTensor], GGMLQuantizationType],
    data_of: Callable[[ReaderTensor], npt.NDArray[Any]],
    overrides: dict[str, Override],
) -> None:
    """Write ``source`` to ``target`` with new float tensors: same keys, same order, same tensors.

    Args:
        source: the file to copy from.
        target: where to write; the caller makes it atomic.
        type_of: F16 or F32 for each tensor.
        data_of: the tensor's data in that type; called once per tensor, in file order, so that
            one tensor at a time is in memory.
        overrides: metadata keys to replace or add.
    """
    writer = GGUFWriter(target, str(metadata(source, "general.architecture")))
    alignment = metadata(source, "general.alignment")
    if alignment is not None:
        writer.data_alignment = int(alignment)
    for key, field in source.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture" or key in overrides:
            continue  # the writer makes these itself
        value = field.contents()
        kind = field.types[0]
        if kind == GGUFValueType.ARRAY and not value:
            continue  # gguf-py cannot write an empty array; for llama.cpp it means the same as none
        writer.add_key_value(key, value, kind, field.types[-1] if kind == GGUFValueType.ARRAY else None)
    for key, (value, kind) in overrides.items():
        writer.add_key_value(key, value, kind)
    dtypes: dict[GGMLQuantizationType, np.dtype[Any]] = {
        GGMLQuantizationType.F16: np.dtype(np.float16),
        GGMLQuantizationType.F32: np.dtype(np.float32),
    }
    for tensor in source.tensors:
        dtype = dtypes[type_of(tensor)]
        shape = [int(size) for size in reversed(tensor.shape)]
        writer.add_tensor_info(tensor.name, shape, dtype, tensor.n_elements * dtype.itemsize)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in source.tensors:
            writer.write_tensor_data(np.ascontiguousarray(data_of(tensor)))
    finally:
        writer.close()
