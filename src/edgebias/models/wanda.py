"""What one forward pass of llama.cpp over the calibration text gives: Wanda's masks, or the importance of inputs."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt
from gguf import GGMLQuantizationType
from tqdm import tqdm

from edgebias.core.errors import InputError
from edgebias.models.gguf import open_gguf
from edgebias.models.llama_model import loaded_model
from edgebias.models.prune import Mask, is_prunable, wanda_mask

SEQUENCE_TOKENS = 256
MAX_SEQUENCES = 256
"""llama.cpp's own limit (LLAMA_MAX_SEQ)."""
_LOGIT_BUDGET = 2**26
"""Largest number of logits (rows x vocabulary) asked for: 256 MB."""


_DTYPES: dict[int, Any] = {
    int(GGMLQuantizationType.F32): np.float32,
    int(GGMLQuantizationType.F16): np.float16,
    int(GGMLQuantizationType.I32): np.int32,
    int(GGMLQuantizationType.BF16): np.uint16,  # numpy has no such float
}


class _Tensor(ctypes.Structure):
    """``struct ggml_tensor`` of ggml.h (llama.cpp 0c1e57098); `_check_layout` compares it with the library."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("buffer", ctypes.c_void_p),
        ("ne", ctypes.c_int64 * 4),
        ("nb", ctypes.c_size_t * 4),
        ("op", ctypes.c_int),
        ("op_params", ctypes.c_int32 * 16),
        ("flags", ctypes.c_int32),
        ("src", ctypes.c_void_p * 10),
        ("view_src", ctypes.c_void_p),
        ("view_offs", ctypes.c_size_t),
        ("data", ctypes.c_void_p),
        ("name", ctypes.c_char * 64),
        ("extra", ctypes.c_void_p),
        ("padding", ctypes.c_char * 8),
    )


def _library() -> ctypes.CDLL:
    folder = Path(llama_cpp.__file__).parent / "lib"
    matches = sorted(path for path in folder.iterdir() if path.name.split(".")[0] in {"libggml-base", "ggml-base"})
    if not matches:
        raise InputError(f"{folder}: llama-cpp-python has no ggml-base library; install it again from source")
    library = ctypes.CDLL(str(matches[0]))
    library.ggml_op_desc.restype = ctypes.c_char_p
    library.ggml_op_desc.argtypes = [ctypes.c_void_p]
    library.ggml_get_name.restype = ctypes.c_char_p
    library.ggml_get_name.argtypes = [ctypes.c_void_p]
    library.ggml_nbytes.restype = ctypes.c_size_t
    library.ggml_nbytes.argtypes = [ctypes.c_void_p]
    for name in ("ggml_backend_tensor_get", "ggml_backend_tensor_set"):
        function = getattr(library, name)
        function.restype = None
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t]
    return library


def _check_layout(library: ctypes.CDLL, pointer: int) -> None:
    tensor = _Tensor.from_address(pointer)
    size = ctypes.c_size_t.in_dll(library, "GGML_TENSOR_SIZE").value if hasattr(library, "GGML_TENSOR_SIZE") else None
    if tensor.name != library.ggml_get_name(pointer) or size not in {None, ctypes.sizeof(_Tensor)}:
        raise InputError(
            f"llama-cpp-python {llama_cpp.__version__}: its ggml_tensor is not that of 0.3.36; install that version"
        )


class _Pass:
    """Meets each matrix in the loaded model just before llama.cpp multiplies by it, with the norms of its inputs.

    llama.cpp asks about every node of its graph in order, before computing it. Answering "yes" to all
    of them makes it compute one node at a time, so that the inputs of a matrix product are complete
    when it asks about that product.
    """

    def __init__(self, names: Sequence[str], what: str) -> None:
        self.error: Exception | None = None
        self.met: set[str] = set()
        self._names = frozenset(names)
        self._library = _library()
        self._checked = False
        self._input_pointer = 0
        self._norms = np.empty(0)
        self._progress = tqdm(total=len(names), desc=what, unit="matrix", mininterval=5, ascii=True)

    def use(self, name: str, weight_pointer: int, norms: npt.NDArray[np.float64]) -> None:
        """Do something with a matrix; ``norms`` are the L2 norms of its inputs, or of each expert's."""
        raise NotImplementedError

    def __call__(self, pointer: int, ask: bool, _user_data: Any) -> bool:
        if not ask or self.error is not None:
            return self.error is None
        try:
            self._before(pointer)
        except Exception as error:  # ctypes would print and forget it
            self.error = error
        return True

    def close(self) -> None:
        self._progress.close()

    def _before(self, pointer: int) -> None:
        if not self._checked:
            _check_layout(self._library, pointer)
            self._checked = True
        if self._library.ggml_op_desc(pointer) not in {b"MUL_MAT", b"MUL_MAT_ID"}:
            return
        weight_pointer, input_pointer, experts_pointer = _Tensor.from_address(pointer).src[:3]
        weights = _Tensor.from_address(weight_pointer)
        name = weights.name.decode()
        if name not in self._names:
            return
        if name in self.met:
            raise InputError(
                f"{name} is multiplied more than once in a pass, so its inputs are not one set; prune by magnitude"
            )
        matrices = int(weights.ne[2])
        if matrices > 1:
            inputs = self._read(input_pointer)
            norms = (
                expert_norms(inputs, self._read(experts_pointer), matrices)
                if experts_pointer
                else head_norms(inputs, matrices)
            )
        else:
            if input_pointer != self._input_pointer:  # q, k and v share one input, so do gate and up
                self._input_pointer, self._norms = input_pointer, column_norms(self._read(input_pointer))
            norms = self._norms
        self.use(name, weight_pointer, norms)
        self.met.add(name)
        self._progress.update()

    def _read(self, pointer: int) -> npt.NDArray[Any]:
        """Return a tensor in numpy's order of its four dimensions."""
        tensor = _Tensor.from_address(pointer)
        name = tensor.name.decode(errors="replace")
        if tensor.type not in _DTYPES:
            raise InputError(f"{name} is of a type whose values cannot be read; prune by magnitude")
        array = np.empty([int(size) for size in reversed(tensor.ne)], dtype=_DTYPES[tensor.type])
        strides = [int(size) for size in reversed(tensor.nb)]
        whole = self._library.ggml_nbytes(pointer)
        if list(array.strides) == strides:
            self._library.ggml_backend_tensor_get(pointer, array.ctypes.data, 0, array.nbytes)
            return array
        view = np.empty(whole, np.uint8)  # a part of a larger tensor, such as the ids of the chosen experts
        self._library.ggml_backend_tensor_get(pointer, view.ctypes.data, 0, view.nbytes)
        return np.lib.stride_tricks.as_strided(view.view(array.dtype), array.shape, strides).copy()


class _Pruner(_Pass):
    """Prunes each matrix in memory before its product, so that later matrices see the inputs of the pruned model."""

    def __init__(self, names: Sequence[str], sparsity: float, group: int | None) -> None:
        super().__init__(names, "wanda")
        self.masks: dict[str, Mask] = {}
        self._sparsity = sparsity
        self._group = group

    def use(self, name: str, weight_pointer: int, norms: npt.NDArray[np.float64]) -> None:
        weights = self._read(weight_pointer)
        weights = weights.reshape(weights.shape[-3:] if weights.shape[-3] > 1 else weights.shape[-2:])
        mask = wanda_mask(_numbers(weights), norms, self._sparsity, self._group)
        weights[mask] = 0
        self._library.ggml_backend_tensor_set(weight_pointer, weights.ctypes.data, 0, weights.nbytes)
        self.masks[name] = mask


class _Listener(_Pass):
    """Notes the inputs of each matrix and changes nothing."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names, "importance")
        self.norms: dict[str, npt.NDArray[np.float64]] = {}

    def use(self, name: str, weight_pointer: int, norms: npt.NDArray[np.float64]) -> None:
        self.norms[name] = norms


def expert_norms(
    inputs: npt.NDArray[np.float32], chosen: npt.NDArray[np.int32], n_experts: int
) -> npt.NDArray[np.float64]:
    """Return the L2 norm of each input column over the tokens that each expert gets; 1 for one that gets none.

    An expert without tokens is so pruned by the size of its weights alone.

    Args:
        inputs: (1, tokens, 1 or slots, columns).
        chosen: the expert of each token's slots (1, 1, tokens, slots).
        n_experts: how many there are.
    """
    slots = chosen.reshape(chosen.shape[-2:])
    rows = np.broadcast_to(inputs.reshape(inputs.shape[-3:]), (*slots.shape, inputs.shape[-1]))
    norms = np.ones((n_experts, inputs.shape[-1]))
    for expert in range(n_experts):
        found = rows[slots == expert]
        if len(found):
            norms[expert] = column_norms(found)
    return norms


def head_norms(inputs: npt.NDArray[np.float32], n_heads: int) -> npt.NDArray[np.float64]:
    """Return the L2 norm of each input column for each matrix of a stack, such as one a head.

    Args:
        inputs: (sequences, heads, tokens, columns).
        n_heads: matrices of the stack; of grouped heads several inputs share one.
    """
    groups = inputs.reshape(inputs.shape[0], n_heads, -1, inputs.shape[-1])
    return np.stack([column_norms(groups[:, head]) for head in range(n_heads)])


def _numbers(weights: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return what ``weights`` stand for: 16-bit whole numbers are BF16, the upper half of a 32-bit float."""
    return (weights.astype(np.uint32) << 16).view(np.float32) if weights.dtype == np.uint16 else weights


def column_norms(inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return the L2 norm of each column (input channel) over all rows (tokens), summed in float64."""
    rows = inputs.reshape(-1, inputs.shape[-1])
    total = np.zeros(rows.shape[1])
    for start in range(0, len(rows), 256):  # small blocks stay in the cache
        total += np.square(rows[start : start + 256], dtype=np.float64).sum(axis=0)
    return np.sqrt(total)


def output_stride(n_tokens: int, n_vocab: int) -> int:
    """Return the stride of tokens at which a prediction is asked for, so that the logits stay within 256 MB."""
    return math.ceil(n_tokens * n_vocab / _LOGIT_BUDGET)


def wanda_masks(
    path: Path, sequences: Sequence[Sequence[int]], sparsity: float, group: int | None = None
) -> dict[str, Mask]:
    """Return the Wanda masks of every prunable matrix of a file of float weights, found matrix after matrix.

    Each matrix is pruned in memory before its product is computed, so every later matrix sees the
    inputs that the pruned model gives it: one forward pass does what locuslab/wanda does block by
    block. (There the seven matrices of one block see inputs of that block's dense weights.)

    Args:
        path: the model file; it is not changed.
        sequences: calibration token ids, all of the same length; they do not see each other.
        sparsity: share of each output row that goes.
        group: where given, the share of every so many neighbouring inputs of a row.

    Returns:
        A mask per tensor name, true where the weight goes.

    Raises:
        InputError: llama.cpp cannot load or run the model on this much text.
    """
    pruner = _Pruner(_matrices(path), sparsity, group)
    _run(path, sequences, pruner)
    return pruner.masks


def importance(path: Path, sequences: Sequence[Sequence[int]]) -> dict[str, npt.NDArray[np.float32]]:
    """Return the mean square of each input of every prunable matrix, which llama.cpp calls an importance matrix.

    Args:
        path: the model file, of float weights.
        sequences: as for `wanda_masks`.

    Returns:
        Per tensor name the mean over tokens, of experts one after the other. Only its shape over a tensor's inputs
        counts: of the last block's later matrices llama.cpp computes every k-th token alone.

    Raises:
        InputError: llama.cpp cannot load or run the model on this much text.
    """
    listener = _Listener(_matrices(path))
    _run(path, sequences, listener)
    total = len(sequences[0]) * len(sequences)
    return {name: (np.square(norms) / total).astype(np.float32).ravel() for name, norms in listener.norms.items()}


def _matrices(path: Path) -> list[str]:
    return [tensor.name for tensor in open_gguf(path).tensors if is_prunable(tensor)]


def _run(path: Path, sequences: Sequence[Sequence[int]], reader: _Pass) -> None:
    """Let llama.cpp compute all sequences in one pass, with ``reader`` at every matrix."""
    names = _matrices(path)
    length = len(sequences[0])
    total = length * len(sequences)
    with loaded_model(path, vocab_only=False) as model:
        n_vocab = int(llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model)))
        stride = output_stride(total, n_vocab)
        callback = llama_cpp.ggml_backend_sched_eval_callback(reader)
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = SEQUENCE_TOKENS * math.ceil(length / SEQUENCE_TOKENS) * len(sequences)
        parameters.n_batch = parameters.n_ubatch = total
        parameters.n_seq_max = len(sequences)
        parameters.n_outputs_max = math.ceil(total / stride)
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.flash_attn_type = llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        parameters.kv_unified = False
        parameters.cb_eval = callback
        context = llama_cpp.llama_init_from_model(model, parameters)
        if not context:
            raise InputError(
                f"{path}: no memory for {total} calibration tokens; lower variant_record.calibration_tokens"
            )
        batch = llama_cpp.llama_batch_init(total, 0, 1)
        try:
            batch.n_tokens = total
            for index in range(total):
                sequence, position = divmod(index, length)
                batch.token[index] = sequences[sequence][position]
                batch.pos[index] = position
                batch.n_seq_id[index] = 1
                batch.seq_id[index][0] = sequence
                batch.logits[index] = index % stride == 0
            status = llama_cpp.llama_decode(context, batch)
        finally:
            reader.close()
            llama_cpp.llama_batch_free(batch)
            llama_cpp.llama_free(context)
    if isinstance(reader.error, InputError):
        raise InputError(f"{path}: {reader.error}") from reader.error
    if reader.error is not None:
        raise reader.error
    if status == 0 and len(reader.met) != len(names):
        unused = next(name for name in names if name not in reader.met)
        raise InputError(f"{path}: llama.cpp multiplies nothing by {unused}; prune by magnitude")
    if status != 0:
        raise InputError(
            f"{path}: llama.cpp stopped after {len(reader.met)} of {len(names)} matrices (status {status});"
            " lower variant_record.calibration_tokens"
        )
