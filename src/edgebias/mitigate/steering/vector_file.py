"""Control vectors in llama.cpp's own format, so that ``llama-server --control-vector`` loads what the loop found.

Keys and tensor names follow llama.cpp's ``tools/cvector-generator``: ``general.architecture`` is ``controlvector``,
``controlvector.model_hint`` the steered architecture, ``controlvector.layer_count`` the number of directions, and
``direction.{il}`` (F32) what is added to the output of block ``il``, from block 1 on.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.gguf_reader import ReaderTensor

from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.mitigate.steering.directions import Matrix
from edgebias.models.gguf import ARCHITECTURE_KEY, HeaderReader, number, open_header, read, text
from edgebias.models.gguf import values as decoded

ARCHITECTURE = "controlvector"
DIRECTION = re.compile(r"direction\.(0|[1-9][0-9]{0,5})")


def write_control_vector(vector: Matrix, path: Path, model_hint: str) -> None:
    """Write ``vector`` (n_layer, n_embd); row 0 is not stored, since llama.cpp cannot apply it.

    Raises:
        ValueError: row 0 is not zero.
    """
    from gguf import GGUFWriter

    if vector[0].any():
        raise ValueError("llama.cpp cannot steer block 0")
    with atomic(path) as temporary:
        writer = GGUFWriter(temporary, ARCHITECTURE)
        writer.add_string("controlvector.model_hint", model_hint)
        writer.add_uint32("controlvector.layer_count", len(vector) - 1)
        for layer in range(1, len(vector)):
            writer.add_tensor(f"direction.{layer}", np.ascontiguousarray(vector[layer], dtype=np.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def read_control_vector(path: Path, n_layer: int, n_embd: int) -> Matrix:
    """Read a control vector for a model of ``n_layer`` blocks and width ``n_embd``; absent layers are zero.

    Vectors of other programs are read too: their numbers may be in any type that decodes, such as F16.

    Raises:
        InputError: absent, unreadable, not a control vector, not finite, or of another model's shape.
    """
    reader = _read(path)
    vector = np.zeros((n_layer, n_embd), dtype=np.float32)
    seen: set[int] = set()
    for tensor in reader.tensors:
        found = DIRECTION.fullmatch(tensor.name)
        block = int(found[1]) if found else -1
        if block < 0 or block in seen:
            raise InputError(
                f"{path}: tensor {tensor.name!r} is no direction of a block, or the second of one; a control vector"
                " has direction.1, direction.2 and so on"
            )
        seen.add(block)
        size = int(tensor.n_elements)
        if block >= n_layer or size != n_embd:
            raise InputError(
                f"{path}: tensor {tensor.name} of {size} values does not fit a model of blocks 0 to {n_layer - 1} and"
                f" width {n_embd}; fit a vector for this model"
            )
        values = _values(tensor, path)
        if block == 0 and values.any():
            raise InputError(
                f"{path}: direction.0 steers block 0, which llama.cpp cannot; leave it out when the vector is made"
            )
        vector[block] = values
    if not seen:
        raise InputError(f"{path}: a control vector without any direction; fit or export it again")
    return vector


def check_hint(path: Path, weights: Path) -> None:
    """Check that a control vector is for the model in ``weights``, as far as its hint says.

    Programs write other names than llama.cpp's, such as repeng ``mistral`` for ``llama``. So another name is no fault
    where the vector has as many blocks as the model; the width is checked when it is read.

    Raises:
        InputError: the hint is of another architecture, and the number of blocks is too.
    """
    reader = _read(path)
    hint, architecture = text(reader, "controlvector.model_hint"), model_hint(weights)
    n_layer, _ = model_shape(weights)
    blocks = {int(found[1]) for tensor in reader.tensors if (found := DIRECTION.fullmatch(tensor.name))}
    if hint not in {None, architecture} and max(blocks, default=0) != n_layer - 1:
        raise InputError(
            f"{path}: made for {hint!r} with directions up to block {max(blocks, default=0)}, and {weights} is"
            f" {architecture!r} with blocks 0 to {n_layer - 1}; fit one for it"
        )


def _read(path: Path) -> GGUFReader:
    if not path.exists():
        raise InputError(f"{path}: no such file; run `edgebias fit-feedback-loop`")
    reader = read(path, HeaderReader, str(path))
    found = text(reader, ARCHITECTURE_KEY)
    if found != ARCHITECTURE:
        raise InputError(f"{path}: not a control vector but {found!r}; give the file that fit wrote")
    return reader


def _values(tensor: ReaderTensor, path: Path) -> Matrix:
    """Return the numbers of a direction."""
    try:
        values = decoded(tensor).reshape(-1)
    except NotImplementedError as error:
        raise InputError(
            f"{path}: {tensor.name} is of type {tensor.tensor_type.name}, which cannot be decoded; export it as F32"
        ) from error
    if not np.isfinite(values).all():
        raise InputError(f"{path}: {tensor.name} has a value that is no finite number; fit or export the vector again")
    return values


def vector_bytes(path: Path) -> int:
    """Give the bytes that the control vector at ``path`` takes beside the weights: 4 for each number in it.

    Raises:
        InputError: absent or unreadable.
    """
    return sum(4 * int(tensor.n_elements) for tensor in _read(path).tensors)


def model_hint(weights: Path) -> str:
    """Return the architecture that the GGUF ``weights`` names.

    Raises:
        InputError: the file is no whole model.
    """
    return str(text(open_header(weights), ARCHITECTURE_KEY))


def model_shape(weights: Path) -> tuple[int, int]:
    """Return the number of blocks and the width of the model in the GGUF ``weights``.

    Raises:
        InputError: the file is no whole model.
    """
    reader = open_header(weights)
    architecture = text(reader, ARCHITECTURE_KEY)
    blocks, width = (number(reader, f"{architecture}.{key}") for key in ("block_count", "embedding_length"))
    if blocks is None or width is None:
        raise InputError(f"{weights}: no language model: it does not say how many blocks it has, or how wide they are")
    return blocks, width
