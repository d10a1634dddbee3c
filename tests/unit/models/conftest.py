"""A two-block llama model of width 64 with a byte-level tokenizer, and a neutral text for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

WIDTH, HEADS, KV_HEADS, BLOCKS = 64, 4, 2, 2
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-in for each byte, in the order of its vocabulary."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [byte for byte in range(256) if byte not in kept]
    return [chr(byte) for byte in kept] + [chr(256 + index) for index in range(len(moved))]


def tiny_weights(seed: int, width: int = WIDTH) -> dict[str, np.ndarray]:
    """Random weights under llama.cpp's tensor names."""
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int) -> np.ndarray:
        return (random.standard_normal((rows, columns)) / np.sqrt(columns)).astype(np.float32)

    weights = {"token_embd.weight": matrix(len(SPECIAL) + 256 + 2, width) * np.float32(4)}
    for block in range(BLOCKS):
        name = f"blk.{block}."
        weights[name + "attn_norm.weight"] = (1 + 0.2 * random.standard_normal(width)).astype(np.float32)
        weights[name + "ffn_norm.weight"] = (1 + 0.2 * random.standard_normal(width)).astype(np.float32)
        weights[name + "attn_q.weight"] = matrix(width, width)
        weights[name + "attn_k.weight"] = matrix(width * KV_HEADS // HEADS, width)
        weights[name + "attn_v.weight"] = matrix(width * KV_HEADS // HEADS, width)
        weights[name + "attn_output.weight"] = matrix(width, width)
        weights[name + "ffn_gate.weight"] = matrix(2 * width, width)
        weights[name + "ffn_up.weight"] = matrix(2 * width, width)
        weights[name + "ffn_down.weight"] = matrix(width, 2 * width)
    weights["output_norm.weight"] = np.ones(width, dtype=np.float32)
    return weights


def write_tiny(
    path: Path, *, dtype: type = np.float16, seed: int = 1, pre: str = "smollm", width: int = WIDTH
) -> dict[str, np.ndarray]:
    """Write the tiny model; matrices in ``dtype``, vectors in float32. Returns what was written."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(2 * width)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(width // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(1 if dtype is np.float16 else 0)
    tokens = [*SPECIAL, *byte_alphabet(), "Ġt", "he"]
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["Ġ t", "h e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)
    weights = {
        name: value if value.ndim == 1 else value.astype(dtype) for name, value in tiny_weights(seed, width).items()
    }
    for name, value in weights.items():
        writer.add_tensor(name, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


@pytest.fixture
def make_tiny() -> Callable[..., dict[str, np.ndarray]]:
    """`write_tiny`: ``make_tiny(path, dtype=…, seed=…, pre=…, width=…)``."""
    return write_tiny


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A tiny F16 model file."""
    path = tmp_path / "tiny.gguf"
    write_tiny(path)
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A neutral text in BOLD's shape: 90 sentences."""
    path = tmp_path / "profession_wiki.json"
    pages = {
        f"page {page}": [
            f"The worker of kind {page} makes {10 * page + line} things out of wood and of iron each day."
            for line in range(10)
        ]
        for page in range(9)
    }
    path.write_text(json.dumps({"workers": pages}), encoding="utf-8")
    return path
