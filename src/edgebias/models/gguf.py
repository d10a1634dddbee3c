"""Reading and rewriting GGUF files: bad files become one plain line, metadata is carried over unchanged."""

from __future__ import annotations

import math
import struct
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from gguf import (
    GGML_QUANT_SIZES,
    GGUF_MAGIC,
    GGMLQuantizationType,
    GGUFEndian,
    GGUFReader,
    GGUFValueType,
    GGUFWriter,
)
from gguf.gguf_reader import ReaderField, ReaderTensor
from gguf.quants import dequantize

from edgebias.core.errors import InputError

ARCHITECTURE_KEY = "general.architecture"
ALIGNMENT_KEY = "general.alignment"
DEFAULT_ALIGNMENT = 32
SHARD_COUNT_KEY = "split.count"
NO_MODELS = frozenset({"clip", "controlvector", "imatrix"})
"""Architectures of files that go with a model: image encoders, control vectors, importance matrices."""

FLOAT_TYPES = (GGMLQuantizationType.F16, GGMLQuantizationType.BF16, GGMLQuantizationType.F32)
"""Types of an uncompressed build's matrices."""

Override = tuple[Any, GGUFValueType]

MOST_DIMENSIONS = 4
"""``GGML_MAX_DIMS`` of ggml."""
LONGEST_NAME = 63
"""Bytes of a tensor's name: ``GGML_MAX_NAME`` of ggml with its end mark."""
MOST_ENTRIES = 2**17
"""Keys or tensors of one file. Real ones have some thousands; a damaged count would fill the memory."""
MOST_VALUES = 2**22
"""Values of one array. The largest vocabularies have some hundred thousand texts."""


class Unfit(ValueError):
    """A file that is whole and still cannot be used; the message says why, and the way out."""


class QuickReader(GGUFReader):  # type: ignore[misc]  # gguf-py has no types for mypy
    """gguf-py's reader without its two costs: slices of ``numpy.memmap``, and a call per element of an array.

    A vocabulary of 49,152 tokens has 250,000 of the former: 0.25 s instead of 3.8 s of processor time. A value beyond
    the end of the file raises ValueError, where gguf-py's slices come back short. So does what llama.cpp would refuse,
    and a count that no real file has, before memory is taken for it.
    """

    def _build_fields(self, offs: int, count: int) -> int:
        end: int = super()._build_fields(offs, _bounded(count, MOST_ENTRIES, "keys"))
        return end

    def _build_tensor_info(self, offs: int, count: int) -> tuple[int, list[ReaderField]]:
        found: tuple[int, list[ReaderField]]
        found = super()._build_tensor_info(offs, _bounded(count, MOST_ENTRIES, "tensors"))
        return found

    def _get_tensor_info_field(self, orig_offs: int) -> ReaderField:
        length = int(self._get(orig_offs, np.uint64)[0])
        if not 1 <= length <= LONGEST_NAME:
            raise ValueError(f"a tensor's name of {length} bytes")
        n_dims = int(self._get(orig_offs + 8 + length, np.uint32)[0])
        if not 1 <= n_dims <= MOST_DIMENSIONS:
            raise ValueError(f"a tensor of {n_dims} dimensions")
        return super()._get_tensor_info_field(orig_offs)

    def _build_tensors(self, start_offs: int, fields: list[ReaderField]) -> None:
        expected, types = 0, {int(kind) for kind in GGMLQuantizationType}
        for field in fields:
            _, _, _, dims, raw_type, offset = field.parts
            if int(raw_type[0]) not in types:
                raise Unfit(
                    f"tensor {field.name} is of type {raw_type[0]}, which llama.cpp does not have: the file is of a"
                    " fork, or of a newer or much older version; take one that llama.cpp itself made, such as Q4_K_M"
                )
            shape, kind = [int(size) for size in dims], GGMLQuantizationType(int(raw_type[0]))
            block, block_bytes = GGML_QUANT_SIZES[kind]
            n_bytes = math.prod(shape) * block_bytes // block
            if not n_bytes or shape[0] % block:
                raise ValueError(f"tensor {field.name} of shape {shape} in {kind.name}")
            if int(offset[0]) != expected:
                raise ValueError(f"tensor {field.name} begins at {offset[0]}, not where the one before it ends")
            end = start_offs + expected + n_bytes
            if end > len(self.data):
                raise ValueError(f"tensor {field.name} ends at {end}, the file at {len(self.data)}")
            expected += -(-n_bytes // int(self.alignment)) * int(self.alignment)
        super()._build_tensors(start_offs, fields)

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
        item, start = GGUFValueType(kind[0]), orig_offs + 12
        count = _bounded(int(length[0]), MOST_VALUES, "values in an array")
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
    reader = read(path, kind, str(path))
    check_model(reader, str(path))
    return reader


def read(path: Path, kind: type[QuickReader], name: str) -> GGUFReader:
    """Read a file that is there, and check all of it but the weights.

    Args:
        path: the file.
        kind: how much of it is kept.
        name: what messages call it.

    Raises:
        InputError: it is no whole GGUF file, or one that llama.cpp cannot use.
    """
    with path.open("rb") as stream:
        head = stream.read(8)
    version = int.from_bytes(head[4:], sys.byteorder)
    try:
        if len(head) < 8:
            raise ValueError(f"it has {len(head)} bytes")
        if head[:4] != struct.pack("<I", GGUF_MAGIC):
            raise Unfit(f"not a GGUF file ({_kind_of(head)})")
        if version and version % 2**16 == 0:
            raise Unfit(
                "a file of the other byte order (big-endian), which llama.cpp would read as garbage; convert it with"
                " `gguf-convert-endian FILE little`"
            )
        if version == 1:
            raise Unfit("GGUF version 1, which llama.cpp no longer reads; take a newer conversion of the model")
        return kind(path)
    except Unfit as error:
        raise InputError(f"{name}: {error}") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: a key or a tensor has a name that is no UTF-8 ({error}); the file is damaged, or its converter"
            " was: take another conversion"
        ) from error
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, AttributeError, struct.error) as error:
        raise InputError(
            f"{name}: not a whole GGUF file: cut short or damaged ({error}); fetch or build it again"
        ) from error


def _kind_of(head: bytes) -> str:
    """Return what a file is that begins with ``head``, and what helps."""
    kinds = {
        b"version ": "a pointer of Git LFS; fetch the file itself: `git lfs pull`",
        b"\x1f\x8b": "a gzip archive; unpack it",
        b"PK\x03\x04": "a zip archive or weights of PyTorch; unpack it, or take a GGUF conversion of the model",
        b"<": "a web page: the server asks for a login, or has no such file; fetch it again",
        b"{": "a text in JSON, such as an error of the server; fetch it again",
        b"lmgg": "a format before GGUF; take a newer conversion of the model",
        b"fmgg": "a format before GGUF; take a newer conversion of the model",
        b"tjgg": "a format before GGUF; take a newer conversion of the model",
    }
    found = next((words for start, words in kinds.items() if head.startswith(start)), None)
    if found is None and head[:4] != bytes(4) and not any(head[4:]):  # the length of a header in JSON
        found = "weights in safetensors; take a GGUF conversion of the model"
    return found or f"it begins with {head[:4]!r}; name a .gguf file"


def check_model(reader: GGUFReader, name: str) -> None:
    """Check that a file holds a whole language model.

    Args:
        reader: the file.
        name: what messages call it.

    Raises:
        InputError: it is one of several shards, or something else than a language model.
    """
    shards, architecture, kind = (metadata(reader, key) for key in (SHARD_COUNT_KEY, ARCHITECTURE_KEY, "general.type"))
    if isinstance(shards, int) and shards > 1:
        raise InputError(
            f"{name}: a shard, one of {shards} files that hold the model together; name the first of them, whose name"
            f" ends in -00001-of-{shards:05d}.gguf, as the source of `edgebias fetch-model`: it joins them"
        )
    if not reader.tensors or not isinstance(architecture, str) or not architecture:
        raise InputError(f"{name}: a GGUF file, but not of a model (no tensors or no architecture); choose a model")
    if architecture in NO_MODELS or kind not in {None, "model"}:
        raise InputError(
            f"{name}: a GGUF file, but not of a language model ({kind or architecture}); choose the model it is for"
        )


def _bounded(count: int, most: int, what: str) -> int:
    if count > most:
        raise ValueError(f"{count} {what}, of which no model has more than {most}")
    return int(count)


def metadata(reader: GGUFReader, key: str) -> Any:
    """Return the value of a metadata key, ``None`` where the file lacks it.

    Bytes that are no UTF-8 become U+FFFD: tokens may be any bytes.
    """
    field = reader.get_field(key)
    return None if field is None else _decoded(_raw(field))


def number(reader: GGUFReader, key: str) -> int | None:
    """Return a whole number of the metadata, ``None`` where the file lacks it.

    Raises:
        InputError: it is something else.
    """
    value = metadata(reader, key)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise InputError(f"{file_of(reader)}: {key} is {str(value)[:40]!r}, no whole number; take another conversion")
    return value


def text(reader: GGUFReader, key: str) -> str | None:
    """Return a text of the metadata, ``None`` where the file lacks it.

    Raises:
        InputError: it is something else.
    """
    value = metadata(reader, key)
    if value is not None and not isinstance(value, str):
        raise InputError(f"{file_of(reader)}: {key} is {str(value)[:40]!r}, no text; take another conversion")
    return value


def file_of(reader: GGUFReader) -> Path:
    """Return where the file of ``reader`` lies."""
    return Path(reader.data.filename)


def _raw(field: ReaderField) -> Any:
    """Return the value of a field as `GGUFWriter` takes it: texts as the bytes that they are."""
    if field.types[-1] != GGUFValueType.STRING:
        return field.contents()
    texts = [bytes(field.parts[index]) for index in field.data]
    return texts if field.types[0] == GGUFValueType.ARRAY else texts[0]


def _decoded(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return [_decoded(one) for one in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def values(tensor: ReaderTensor) -> npt.NDArray[np.float32]:
    """Return the weights of a tensor as float32, in numpy's shape (rows are outputs), decoded by gguf-py."""
    return np.asarray(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)


def float_data(tensor: ReaderTensor) -> npt.NDArray[Any]:
    """Return a copy of the data of a float tensor as `rewrite` takes it, bit for bit."""
    as_numbers = np.uint16 if tensor.tensor_type == GGMLQuantizationType.BF16 else tensor.data.dtype
    return np.array(tensor.data.view(as_numbers))


def rewrite(
    source: GGUFReader,
    target: Path,
    type_of: Callable[[ReaderTensor], GGMLQuantizationType],
    data_of: Callable[[ReaderTensor], npt.NDArray[Any]],
    overrides: dict[str, Override],
) -> None:
    """Write ``source`` to ``target`` with new float tensors: same keys, same order, same tensors.

    They are aligned at `DEFAULT_ALIGNMENT` bytes: llama.cpp writes a quantised file so whatever its key says.

    Args:
        source: the file to copy from.
        target: where to write; the caller makes it atomic.
        type_of: one of `FLOAT_TYPES` for each tensor.
        data_of: the tensor's data in that type, BF16 as 16-bit whole numbers; called once per tensor, in file order,
            so that one tensor at a time is in memory.
        overrides: metadata keys to replace or add.
    """
    writer = GGUFWriter(target, str(metadata(source, ARCHITECTURE_KEY)))
    for key, field in source.fields.items():
        if key.startswith("GGUF.") or key in {ARCHITECTURE_KEY, ALIGNMENT_KEY} or key in overrides:
            continue  # the writer makes these itself
        value, kind = _raw(field), field.types[0]
        if kind == GGUFValueType.ARRAY and not value:
            continue  # gguf-py cannot write an empty array; for llama.cpp it means the same as none
        writer.add_key_value(key, value, kind, field.types[-1] if kind == GGUFValueType.ARRAY else None)
    for key, (value, kind) in overrides.items():
        writer.add_key_value(key, value, kind)
    dtypes: dict[GGMLQuantizationType, np.dtype[Any]] = {
        GGMLQuantizationType.F16: np.dtype(np.float16),
        GGMLQuantizationType.BF16: np.dtype(np.uint16),
        GGMLQuantizationType.F32: np.dtype(np.float32),
    }
    for tensor in source.tensors:
        kind = type_of(tensor)
        dtype = dtypes[kind]
        shape = [int(size) for size in reversed(tensor.shape)]
        writer.add_tensor_info(tensor.name, shape, dtype, tensor.n_elements * dtype.itemsize, kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor in source.tensors:
            writer.write_tensor_data(np.ascontiguousarray(data_of(tensor)))
    finally:
        writer.close()
