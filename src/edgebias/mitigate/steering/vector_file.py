"""Control vectors in llama.cpp's own format, so that ``llama-server --control-vector`` loads what the loop found.

Keys and tensor names follow llama.cpp's ``tools/cvector-generator``: ``general.architecture`` is ``controlvector``,
``controlvector.model_hint`` the steered architecture, ``controlvector.layer_count`` the number of directions, and
``direction.{il}`` (F32) what is added to the output of block ``il``, from block 1 on.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgebias.core.errors import InputError
from edgebias.core.files import atomic
from edgebias.mitigate.steering.directions import Matrix
from edgebias.models.gguf import metadata, open_header

ARCHITECTURE = "controlvector"


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

    Raises:
        InputError: absent, unreadable, not a control vector, or of another model's shape.
    """
    from gguf import GGUFReader

    if not path.exists():
        raise InputError(f"{path}: no such file; run `edgebias fit-feedback-loop`")
    try:
        reader = GGUFReader(path)
    except (ValueError, IndexError, OSError) as error:
        raise InputError(f"{path}: cannot be read as GGUF ({error}); run `edgebias fit-feedback-loop` again") from error
    field = reader.get_field("general.architecture")
    if field is None or field.contents() != ARCHITECTURE:
        raise InputError(
            f"{path}: not a control vector but {field and field.contents()!r}; give the file that fit wrote"
        )
    vector = np.zeros((n_layer, n_embd), dtype=np.float32)
    for tensor in reader.tensors:
        kind, _, number = tensor.name.partition(".")
        if (
            kind != "direction"
            or not number.isdecimal()
            or not 1 <= int(number) < n_layer
            or tensor.n_elements != n_embd
        ):
            raise InputError(
                f"{path}: tensor {tensor.name!r} of {tensor.n_elements} values does not fit a model of "
                f"{n_layer} blocks of width {n_embd}; fit a vector for this model"
            )
        vector[int(number)] = tensor.data
    return vector


def vector_bytes(path: Path) -> int:
    """Give the bytes that the control vector at ``path`` takes beside the weights: 4 for each number in it.

    Raises:
        InputError: absent or unreadable.
    """
    from gguf import GGUFReader

    try:
        return sum(4 * int(tensor.n_elements) for tensor in GGUFReader(path).tensors)
    except (ValueError, IndexError, OSError) as error:
        raise InputError(f"{path}: cannot be read as GGUF ({error}); run `edgebias.mitigate fit` again") from error


def model_hint(weights: Path) -> str:
    """Return the architecture that the GGUF ``weights`` names.

    Raises:
        InputError: the file is no whole model.
    """
    return str(metadata(open_header(weights), "general.architecture"))


def model_shape(weights: Path) -> tuple[int, int]:
    """Return the number of blocks and the width of the model in the GGUF ``weights``.

    Raises:
        InputError: the file is no whole model.
    """
    reader = open_header(weights)
    architecture = metadata(reader, "general.architecture")
    blocks, width = (metadata(reader, f"{architecture}.{key}") for key in ("block_count", "embedding_length"))
    if blocks is None or width is None:
        raise InputError(f"{weights}: no language model: it does not say how many blocks it has, or how wide they are")
    return int(blocks), int(width)
