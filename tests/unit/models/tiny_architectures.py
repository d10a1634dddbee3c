"""Tiny models of several architectures, as files that llama.cpp loads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np

WIDTH, FEED_FORWARD, HEADS, KV_HEADS, BLOCKS, EXPERTS = 64, 128, 4, 2, 2, 4
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TOKENS = len(SPECIAL) + 256 + 2

Shapes = dict[str, tuple[int, ...]]


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-in for each byte, in the order of its vocabulary."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [byte for byte in range(256) if byte not in kept]
    return [chr(byte) for byte in kept] + [chr(256 + index) for index in range(len(moved))]


def attention(block: int, *, width: int = WIDTH) -> Shapes:
    name, kv_width = f"blk.{block}.", width * KV_HEADS // HEADS
    return {
        name + "attn_norm.weight": (width,),
        name + "attn_q.weight": (width, width),
        name + "attn_k.weight": (kv_width, width),
        name + "attn_v.weight": (kv_width, width),
        name + "attn_output.weight": (width, width),
    }


def feed_forward(block: int) -> Shapes:
    name = f"blk.{block}."
    return {
        name + "ffn_norm.weight": (WIDTH,),
        name + "ffn_gate.weight": (FEED_FORWARD, WIDTH),
        name + "ffn_up.weight": (FEED_FORWARD, WIDTH),
        name + "ffn_down.weight": (WIDTH, FEED_FORWARD),
    }


def experts(block: int) -> Shapes:
    name = f"blk.{block}."
    return {
        name + "ffn_norm.weight": (WIDTH,),
        name + "ffn_gate_inp.weight": (EXPERTS, WIDTH),
        name + "ffn_gate_exps.weight": (EXPERTS, FEED_FORWARD, WIDTH),
        name + "ffn_up_exps.weight": (EXPERTS, FEED_FORWARD, WIDTH),
        name + "ffn_down_exps.weight": (EXPERTS, WIDTH, FEED_FORWARD),
    }


def fused(block: int) -> Shapes:
    """Phi-3: one matrix for query, key and value, and one for gate and up."""
    name = f"blk.{block}."
    return {
        name + "attn_norm.weight": (WIDTH,),
        name + "attn_qkv.weight": (WIDTH + 2 * WIDTH * KV_HEADS // HEADS, WIDTH),
        name + "attn_output.weight": (WIDTH, WIDTH),
        name + "ffn_norm.weight": (WIDTH,),
        name + "ffn_up.weight": (2 * FEED_FORWARD, WIDTH),
        name + "ffn_down.weight": (WIDTH, FEED_FORWARD),
    }


def biases(block: int) -> Shapes:
    shapes = attention(block) | feed_forward(block)
    kv_width = WIDTH * KV_HEADS // HEADS
    return shapes | {
        f"blk.{block}.attn_{which}.bias": (size,) for which, size in (("q", WIDTH), ("k", kv_width), ("v", kv_width))
    }


def state_space(block: int) -> Shapes:
    """Mamba: no attention at all."""
    name, inner, state, rank = f"blk.{block}.", 2 * WIDTH, 16, 4
    return {
        name + "attn_norm.weight": (WIDTH,),
        name + "ssm_in.weight": (2 * inner, WIDTH),
        name + "ssm_conv1d.weight": (inner, 4),
        name + "ssm_conv1d.bias": (inner,),
        name + "ssm_x.weight": (rank + 2 * state, inner),
        name + "ssm_dt.weight": (inner, rank),
        name + "ssm_dt.bias": (inner,),
        name + "ssm_a": (inner, state),
        name + "ssm_d": (inner,),
        name + "ssm_out.weight": (WIDTH, inner),
    }


def hybrid(block: int) -> Shapes:
    """LFM2: a convolution in the first block, attention in the second."""
    name = f"blk.{block}."
    convolution = {
        name + "attn_norm.weight": (WIDTH,),
        name + "shortconv.conv.weight": (WIDTH, 3),
        name + "shortconv.in_proj.weight": (3 * WIDTH, WIDTH),
        name + "shortconv.out_proj.weight": (WIDTH, WIDTH),
    }
    norms = {name + f"attn_{which}_norm.weight": (WIDTH // HEADS,) for which in "qk"}
    return feed_forward(block) | (attention(block) | norms if block else convolution)


BLOCK_OF: dict[str, tuple[str, Callable[[int], Shapes]]] = {
    "llama": ("llama", lambda block: attention(block) | feed_forward(block)),
    "experts": ("llama", lambda block: attention(block) | experts(block)),
    "phi3": ("phi3", fused),
    "qwen2": ("qwen2", biases),
    "mamba": ("mamba", state_space),
    "lfm2": ("lfm2", hybrid),
}
"""By a name: llama.cpp's architecture, and the tensors of a block."""


def shapes_of(kind: str) -> Shapes:
    found: Shapes = {"token_embd.weight": (TOKENS, WIDTH)}
    for block in range(BLOCKS):
        found |= BLOCK_OF[kind][1](block)
    norm = "token_embd_norm.weight" if kind == "lfm2" else "output_norm.weight"
    return found | {norm: (WIDTH,), "output.weight": (TOKENS, WIDTH)}


def weights_of(kind: str, seed: int = 1) -> dict[str, np.ndarray]:
    """Random weights: norms about 1, matrices scaled by their inputs."""
    random = np.random.default_rng(seed)
    found = {}
    for name, shape in shapes_of(kind).items():
        drawn = random.standard_normal(shape)
        if name.endswith("norm.weight"):
            found[name] = (1 + 0.2 * drawn).astype(np.float32)
        elif name.endswith("ssm_a"):
            found[name] = -np.abs(drawn).astype(np.float32)
        else:
            found[name] = (drawn / np.sqrt(shape[-1])).astype(np.float32)
    found["token_embd.weight"] *= np.float32(4)
    return found


def write_model(
    path: Path,
    kind: str = "llama",
    *,
    dtype: type = np.float32,
    keys: dict[str, Any] | None = None,
    tokens: dict[int, bytes] | None = None,
    endian: gguf.GGUFEndian = gguf.GGUFEndian.LITTLE,
    shard: tuple[int, int] | None = None,
    names: list[str] | None = None,
    wide: list[str] | None = None,
    pre: str = "smollm",
    alignment: int = 32,
) -> dict[str, np.ndarray]:
    """Write a tiny model.

    Args:
        path: the file.
        kind: a key of `BLOCK_OF`.
        dtype: of the matrices; what llama.cpp needs in full precision is float32 all the same.
        keys: more metadata, texts and whole numbers.
        tokens: by their index, tokens of another content.
        endian: the byte order.
        shard: this file's number, from 0, and of how many: tensors are dealt out in order, the keys stand in the first.
        names: the tensors of this shard instead.
        wide: more matrices that stay float32.
        pre: the pre-tokenizer.
        alignment: of each tensor, in bytes.

    Returns:
        what was written.
    """
    writer = gguf.GGUFWriter(path, BLOCK_OF[kind][0], endianess=endian)
    if alignment != gguf.GGUF_DEFAULT_ALIGNMENT:
        writer.add_custom_alignment(alignment)
    if shard is None or shard[0] == 0:
        _add_keys(writer, kind, tokens or {}, pre)
    for key, value in (keys or {}).items():
        writer.add_string(key, value) if isinstance(value, str) else writer.add_uint32(key, value)
    weights = {}
    for name, value in weights_of(kind).items():
        full = value.ndim == 1 or not name.endswith(".weight") or "conv" in name.removesuffix("_proj.weight")
        weights[name] = value if full or "gate_inp" in name or name in (wide or ()) else value.astype(dtype)
    if shard is not None:
        number, count = shard
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", count)
        writer.add_int32("split.tensors.count", len(weights))
        size = -(-len(weights) // count)
        dealt = list(weights)[number * size : (number + 1) * size] if names is None else names
        weights = {name: weights[name] for name in dealt}
    for name, value in weights.items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


def _add_keys(writer: gguf.GGUFWriter, kind: str, tokens: dict[int, bytes], pre: str) -> None:
    writer.add_name("tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(0 if kind == "mamba" else FEED_FORWARD)
    writer.add_head_count(0 if kind == "mamba" else HEADS)
    writer.add_head_count_kv([0, KV_HEADS] if kind == "lfm2" else 0 if kind == "mamba" else KV_HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    if kind == "experts":
        writer.add_expert_count(EXPERTS)
        writer.add_expert_used_count(2)
    if kind == "mamba":
        writer.add_ssm_conv_kernel(4)
        writer.add_ssm_inner_size(2 * WIDTH)
        writer.add_ssm_state_size(16)
        writer.add_ssm_time_step_rank(4)
    if kind == "lfm2":
        writer.add_shortconv_l_cache(3)
    alphabet: list[str | bytes] = [*SPECIAL, *byte_alphabet(), "Ġt", "he"]
    for index, content in tokens.items():
        alphabet[index] = content
    writer.add_vocab_size(len(alphabet))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(alphabet)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(alphabet) - len(SPECIAL)))
    writer.add_token_merges(["Ġ t", "h e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
