"""What is really on disk: types, bits per weight, sparsity, compressed size."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.gguf_reader import ReaderTensor

from edgebias.models.gguf import open_gguf, values
from edgebias.models.prune import IN_A_BLOCK, is_prunable

ZSTD_LEVEL = 3
_CHUNK = 8 * 2**20


@dataclass(frozen=True)
class TypeUse:
    """How much of a file one tensor type holds."""

    tensors: int
    elements: int
    bytes: int
    bits_per_weight: float


@dataclass(frozen=True)
class Replacement:
    """Tensors of one family whose type on disk is not the requested one."""

    family: str
    requested: str
    found: str
    tensors: int
    reason: str


@dataclass(frozen=True)
class KindSparsity:
    """Share of zero weights over the matrices of one kind in all blocks, such as ``blk.*.ffn_down.weight``."""

    pruned: bool
    overall: float
    tensors: int
    weights: int


@dataclass(frozen=True)
class Sparsity:
    """Share of zero weights over the prunable matrices, as the decoded file has them.

    ``kinds`` has every kind of matrix in the blocks, those that stay whole too; ``of_blocks`` is over all of them.
    """

    requested: float | None
    overall: float
    matrix_min: float
    matrix_max: float
    matrices: int
    weights: int
    of_blocks: float
    kinds: Mapping[str, KindSparsity]


def type_table(tensors: Sequence[ReaderTensor]) -> dict[str, TypeUse]:
    """Return tensors, elements, bytes and bits per weight of each tensor type."""
    grouped: dict[str, list[ReaderTensor]] = defaultdict(list)
    for tensor in tensors:
        grouped[tensor.tensor_type.name].append(tensor)
    return {name: _use(members) for name, members in sorted(grouped.items())}


def _use(tensors: Sequence[ReaderTensor]) -> TypeUse:
    elements = sum(int(tensor.n_elements) for tensor in tensors)
    size = sum(int(tensor.n_bytes) for tensor in tensors)
    return TypeUse(tensors=len(tensors), elements=elements, bytes=size, bits_per_weight=8 * size / elements)


_NAMED_AFTER = {"IQ2_M": "IQ2_S", "IQ3_XS": "IQ3_S", "IQ3_M": "IQ3_S", "MXFP4_MOE": "MXFP4"}


def base_type(file_type: str) -> GGMLQuantizationType | None:
    """Return the tensor type that a llama.cpp file type is named after: ``Q4_K_M`` gives ``Q4_K``.

    ``None`` if unknown.
    """
    for name in (file_type, _NAMED_AFTER.get(file_type, ""), re.sub(r"_K_[SML]$", "_K", file_type)):
        if name in GGMLQuantizationType.__members__:
            return GGMLQuantizationType[name]
    return None


def replaced(tensors: Sequence[ReaderTensor], file_type: str) -> list[Replacement]:
    """Return the matrices whose type differs from the requested one, by family (``blk.*.ffn_down.weight``), with the
    cause.

    llama.cpp says nothing when it does this. A row whose length is no multiple of the type's block
    cannot be stored in that type; the rest is llama.cpp's own mixture for that file type. Vectors are
    always F32 and are not listed.
    """
    requested = base_type(file_type)
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for tensor in tensors:
        if len(tensor.shape) == 1 or tensor.tensor_type == requested:
            continue
        family = re.sub(r"^blk\.\d+\.", "blk.*.", tensor.name)
        width = int(tensor.shape[0])
        block = 1 if requested is None else GGML_QUANT_SIZES[requested][0]
        misfit = f"row width {width} is no multiple of the block of {block}"
        counts[family, tensor.tensor_type.name, misfit if width % block else "llama.cpp's mixture"] += 1
    return [
        Replacement(family=family, requested=file_type, found=found, tensors=count, reason=reason)
        for (family, found, reason), count in sorted(counts.items())
    ]


def sparsity(tensors: Sequence[ReaderTensor], requested: float | None) -> Sparsity | None:
    """Return the share of zeros over the prunable matrices, decoded from the file; ``None`` where there are none.

    Of experts each is a matrix.
    """
    zeros: dict[str, list[int]] = defaultdict(list)
    size: dict[str, int] = {}
    matrices = [one for one in tensors if len(one.shape) > 1 and IN_A_BLOCK.fullmatch(one.name)]
    for tensor in matrices:
        weights = values(tensor)
        experts = weights if weights.ndim > 2 else [weights]
        zeros[tensor.name] = [int(matrix.size) - int(np.count_nonzero(matrix)) for matrix in experts]
        size[tensor.name] = int(tensor.n_elements)
    pruned = [tensor.name for tensor in matrices if is_prunable(tensor)]
    if not pruned:
        return None

    def overall(names: Sequence[str]) -> float:
        return sum(sum(zeros[name]) for name in names) / sum(size[name] for name in names)

    shares = [zero * len(zeros[name]) / size[name] for name in pruned for zero in zeros[name]]
    kinds: dict[str, list[str]] = defaultdict(list)
    for name in size:
        kinds[re.sub(r"blk\.\d+\.", "blk.*.", name)].append(name)
    return Sparsity(
        requested=requested,
        overall=overall(pruned),
        matrix_min=min(shares),
        matrix_max=max(shares),
        matrices=len(shares),
        weights=sum(size[name] for name in pruned),
        of_blocks=overall(list(size)),
        kinds={
            kind: KindSparsity(
                pruned=names[0] in pruned,
                overall=overall(names),
                tensors=len(names),
                weights=sum(size[name] for name in names),
            )
            for kind, names in sorted(kinds.items())
        },
    )


def groups_obeying(path: Path, group: int, zeros: int) -> dict[str, int]:
    """Return how many groups of ``group`` neighbouring inputs the prunable matrices have, and how many of these have
    ``zeros`` zeros or more, in the decoded file.
    """
    count = obeying = 0
    for tensor in open_gguf(path).tensors:
        if is_prunable(tensor):
            found = (values(tensor).reshape(-1, group) == 0).sum(axis=1)
            count += len(found)
            obeying += int((found >= zeros).sum())
    return {"of": group, "zeros": zeros, "groups": count, "obeying": obeying}


def digest_and_zstd(path: Path) -> tuple[str, int]:
    """Return the SHA-256 of a file, and its size in bytes when each 8 MiB of it is compressed with zstd level 3."""
    import pyarrow as pa

    codec = pa.Codec("zstd", compression_level=ZSTD_LEVEL)
    digest, compressed = hashlib.sha256(), 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            compressed += codec.compress(chunk).size
    return digest.hexdigest(), compressed


def describe(path: Path, *, file_type: str, requested_sparsity: float | None) -> Mapping[str, Any]:
    """Return everything about a file that needs no forward pass, ready for JSON.

    Args:
        path: the GGUF file.
        file_type: the llama.cpp file type that was asked for (``F16`` where nothing was quantised).
        requested_sparsity: of this build, or ``None``.
    """
    tensors = open_gguf(path).tensors
    digest, compressed = digest_and_zstd(path)
    total = _use(tensors)
    measured = sparsity(tensors, requested_sparsity)
    return {
        "requested_type": file_type,
        "types": {name: asdict(use) for name, use in type_table(tensors).items()},
        "total": asdict(total),
        "bits_per_weight": total.bits_per_weight,
        "replaced": [asdict(item) for item in replaced(tensors, file_type)],
        "sparsity": None if measured is None else asdict(measured),
        "file_bytes": path.stat().st_size,
        "zstd_bytes": compressed,
        "sha256": digest,
    }
