"""Builds that llm-compressor makes: round to nearest, GPTQ, AWQ and SparseGPT, as decoded weights."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import MODEL_ARCH_NAMES, GGMLQuantizationType, GGUFReader, get_tensor_name_map
from gguf.gguf_reader import ReaderTensor
from safetensors import safe_open

from edgebias.core.errors import InputError, one_line
from edgebias.core.files import atomic, write_json
from edgebias.models import llm_compressor
from edgebias.models.build import (
    FULL_WAY_OUT,
    blamed_on,
    calibration_entry,
    calibration_sequences,
    float_type,
    measure,
    pattern_found,
    refusing,
)
from edgebias.models.full import rounded
from edgebias.models.gguf import ARCHITECTURE_KEY, float_data, number, open_gguf, rewrite, text, values
from edgebias.models.llama_model import check_runs, one_line_on_abort
from edgebias.models.perplexity import neutral_sentences
from edgebias.models.prune import check_prunable, is_prunable
from edgebias.models.settings import SCALE_BITS, FakeQuantisation, Pruning, VariantRecordSettings, VariantSettings

PERMUTED = frozenset({"llama"})
"""Architectures whose query and key rows llama.cpp stores in another order than transformers (convert_hf_to_gguf.py,
``LlamaModel.permute``). `check_folder` finds out where another one belongs here."""

LONGEST_REASON = 300
"""Characters of the library's last line that a message repeats."""

ORDER = (
    "block after block: a block's matrices see inputs of its own dense weights, and later blocks the outputs of the"
    " compressed ones"
)


def build_by_library(
    name: str,
    recipe: VariantSettings,
    parent: Path,
    folder: Path,
    texts: Path,
    settings: VariantRecordSettings,
    python: Path,
    output: Path,
    record: Path,
) -> None:
    """Write one build of ``parent`` that llm-compressor makes to ``output`` and its record to ``record``.

    Args:
        name: of the build.
        recipe: how it is made.
        parent: GGUF of the build to start from.
        folder: the same as a Hugging Face folder.
        texts: the neutral text.
        settings: sizes of its two parts.
        python: of the environment that has llm-compressor.
        output: GGUF to write: the parent with decoded weights, in the parent's own types.
        record: to write.

    Raises:
        InputError: a file is absent or unfit, the group does not divide a width, or the library stops.
    """
    how = recipe.fake_quantise or recipe.prune
    if how is None or not recipe.by_library:
        raise InputError(f"variants.{name}: llama.cpp makes it; call `edgebias compress`")
    if not python.is_file():
        raise InputError(f"{python}: no such file; make llm-compressor's environment with `make compression-env`")
    check_prunable(
        parent,
        how.group,
        "give a group that divides it" if recipe.fake_quantise else "give sparsity instead of pattern",
    )
    neutral_sentences(texts, "perplexity")
    check_runs(parent)
    names = check_folder(folder, parent)
    job, details = _job(how, parent, texts, settings)
    with (
        atomic(output) as temporary,
        one_line_on_abort(parent, temporary),
        blamed_on(parent, temporary),
        _compressed(job | {"folder": str(folder.resolve())}, python) as made,
    ):
        details["library"] = f"llm-compressor {_version(made)}"
        write_decoded(parent, temporary, made, names)
        if isinstance(how, Pruning):
            details |= pattern_found(temporary, how)
        else:
            details["nominal_bits_per_weight_of_file"] = nominal_bits_of_file(temporary, how)
        with refusing(output, FULL_WAY_OUT["F16"]):
            requested = how.share if isinstance(how, Pruning) else None
            entries = measure(temporary, texts, settings, file_type=float_type(temporary), requested_sparsity=requested)
        key = "pruning" if isinstance(how, Pruning) else "fake_quantisation"
        write_json({"variant": name, "from": recipe.parent or "full", "pruning": None, key: details} | entries, record)


def _job(
    how: FakeQuantisation | Pruning, parent: Path, texts: Path, settings: VariantRecordSettings
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what the library is asked, and what the record says of it."""
    sequences: list[list[int]] = []
    details: dict[str, Any] = how.model_dump(exclude_none=True)
    if how.method != "rtn":
        seed = how.seed or 0
        sequences, sentences = calibration_sequences(parent, texts, settings.calibration_tokens, seed)
        details |= {"seed": seed, "activations": ORDER, "calibration": calibration_entry(texts, sequences, sentences)}
    job: dict[str, Any] = {"method": how.method, "sequences": sequences, "threads": 1}
    if isinstance(how, Pruning):
        details["scope"] = "lowest W^2 / [H^-1]_jj^2 of each " + (
            "128 columns of a matrix" if how.group is None else f"{how.group} neighbouring inputs of an output"
        )
        return job | {"sparsity": how.share, "pattern": how.pattern}, details
    details["grid"] = f"whole numbers of {how.bits} bits, a {SCALE_BITS}-bit scale and a zero point for each group"
    details["nominal_bits_per_weight"] = how.nominal_bits
    return job | {"bits": how.bits, "group": how.group}, details


@contextmanager
def _compressed(job: Mapping[str, Any], python: Path) -> Iterator[Path]:
    """Let the library do a job; give the file of what changed, which lasts as long as the context.

    Raises:
        InputError: it stops; the line ends with its last one.
    """
    with tempfile.TemporaryDirectory(prefix="edgebias-compression-") as scratch:
        made, asked = Path(scratch, "changed.safetensors"), Path(scratch, "job.json")
        asked.write_text(json.dumps({**job, "output": str(made)}), encoding="utf-8")
        quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": str(job["threads"])}
        done = subprocess.run(
            [str(python.absolute()), "-I", str(Path(llm_compressor.__file__).resolve()), str(asked)],
            cwd=scratch,  # where it writes logs of its own
            env={**os.environ, **quiet},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            last = (done.stdout.strip().splitlines() or ["it said nothing"])[-1]
            raise InputError(
                f"{python}: llm-compressor stopped (status {done.returncode}: {last[-LONGEST_REASON:]}); make its"
                " environment again with `make compression-env`, or choose another method"
            )
        yield made


def _version(made: Path) -> str:
    with safe_open(made, framework="np") as tensors:
        return str(tensors.metadata()["version"])


def check_folder(folder: Path, weights: Path) -> dict[str, str]:
    """Check that a Hugging Face folder holds the weights of a GGUF file, and return which tensor is which.

    Returns:
        The name of each tensor in the folder for its name in the file.

    Raises:
        InputError: the folder is absent, is of another build, or its architecture has other names or orders.
    """
    stored, way_out = folder / "model.safetensors", "make it with `edgebias transformers-weights`"
    if not stored.is_file():
        raise InputError(f"{stored}: no such file; {way_out}")
    reader = open_gguf(weights)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    names: dict[str, str] = {}
    try:
        with safe_open(stored, framework="np") as folder_tensors:
            for name in folder_tensors.keys():  # noqa: SIM118  # it is no mapping
                theirs = _gguf_name(reader, name)
                if theirs is None or theirs not in tensors:
                    raise InputError(f"{stored}: {name} is no tensor of {weights}; choose another method or model")
                found = as_gguf(reader, theirs, folder_tensors.get_tensor(name).astype(np.float32))
                if not np.array_equal(found, values(tensors[theirs])):
                    raise InputError(f"{stored}: {name} differs from {theirs} of {weights}; {way_out}")
                names[theirs] = name
    except (OSError, ValueError) as error:
        raise InputError(
            f"{stored}: no whole safetensors file ({one_line(error, LONGEST_REASON)}); {way_out}"
        ) from error
    missing = next((tensor.name for tensor in reader.tensors if is_prunable(tensor) and tensor.name not in names), None)
    if missing is not None:
        raise InputError(f"{stored}: lacks {missing} of {weights}; choose another method or model")
    return names


def _gguf_name(reader: GGUFReader, name: str) -> str | None:
    """Return llama.cpp's name of a tensor of transformers."""
    architecture = text(reader, ARCHITECTURE_KEY)
    kinds = {known: kind for kind, known in MODEL_ARCH_NAMES.items()}
    if architecture not in kinds:
        return None
    blocks = number(reader, f"{architecture}.block_count") or 0
    found = get_tensor_name_map(kinds[architecture], blocks).get_name(name, try_suffixes=(".weight", ".bias"))
    return None if found is None else str(found)


def as_gguf(reader: GGUFReader, name: str, weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a tensor of transformers in the order in which llama.cpp has its rows.

    llama.cpp rotates neighbouring rows of a head, transformers the two halves.
    """
    architecture = text(reader, ARCHITECTURE_KEY)
    kind = name.split(".")[2] if name.startswith("blk.") else ""
    if architecture not in PERMUTED or kind not in {"attn_q", "attn_k"}:
        return weights
    heads = number(reader, f"{architecture}.attention.head_count") or 1
    if kind == "attn_k":
        heads = number(reader, f"{architecture}.attention.head_count_kv") or heads
    halves = weights.reshape(heads, 2, len(weights) // heads // 2, *weights.shape[1:])
    return halves.swapaxes(1, 2).reshape(weights.shape)


def write_decoded(source: Path, target: Path, changed: Path, names: Mapping[str, str]) -> None:
    """Copy a file of float weights with the tensors of ``changed`` in place of its own, each rounded once to its type.

    Args:
        source: GGUF to copy.
        target: where to write; the caller makes it atomic.
        changed: safetensors, under transformers' names.
        names: these for the names of the file.
    """
    reader = open_gguf(source)

    def kept_type(tensor: ReaderTensor) -> GGMLQuantizationType:
        return GGMLQuantizationType.F32 if len(tensor.shape) == 1 else tensor.tensor_type

    with safe_open(changed, framework="np") as tensors:
        there = set(tensors.keys())

        def data(tensor: ReaderTensor) -> npt.NDArray[Any]:
            name = names.get(tensor.name)
            if name in there:
                weights = as_gguf(reader, tensor.name, tensors.get_tensor(name))
                return rounded(weights, kept_type(tensor), tensor.name)
            return values(tensor) if len(tensor.shape) == 1 else float_data(tensor)

        rewrite(reader, target, kept_type, data, {})


def nominal_bits_of_file(weights: Path, how: FakeQuantisation) -> float:
    """Return the bits per weight that a file would have if its matrices were stored as codes, the rest as it is."""
    tensors = open_gguf(weights).tensors
    bits = sum(
        int(tensor.n_elements) * how.nominal_bits if is_prunable(tensor) else 8 * int(tensor.n_bytes)
        for tensor in tensors
    )
    return float(bits / sum(int(tensor.n_elements) for tensor in tensors))
