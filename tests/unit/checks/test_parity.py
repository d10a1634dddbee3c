"""The parity gate: the same tokens in both backends and, in exact arithmetic, the same numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.convert import convert
from edgebias.models.llama_model import start_text
from edgebias.suites.formats import LETTER, LIKELIHOOD

parity = command("parity")

WIDTH = 32
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n"
    "{% endfor %}<|assistant|>\n"
)
CONTROL = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>"]
PIECES = ["▁", *map(chr, range(33, 127)), "\n", "▁t", "he", "▁the", "▁A", "or", "▁or", "▁▁", "an", "▁an", "ho", "▁W"]


def write_sentence_piece(path: Path, *, prefix: bool | None = None, named: bool = True, adds: bool = True) -> Path:
    """A one-block llama with a SentencePiece vocabulary; ``prefix`` as the file has it, or left out.

    ``adds`` is whether it says that a begin token is added.
    """
    tokens = [*CONTROL, *(f"<0x{byte:02X}>" for byte in range(256)), *PIECES]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(WIDTH // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * (len(tokens) - len(PIECES)) + [-float(rank) for rank in range(len(PIECES))])
    writer.add_token_types([2, *[3] * (len(CONTROL) - 1), *[6] * 256, *[1] * len(PIECES)])
    if named:
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)
    writer.add_add_bos_token(adds)
    if prefix is not None:
        writer.add_add_space_prefix(prefix)
    writer.add_chat_template(TEMPLATE)
    random = np.random.default_rng(3)
    shapes = {"token_embd": (len(tokens), WIDTH), "output": (len(tokens), WIDTH), "output_norm": (WIDTH,)}
    shapes |= {f"blk.0.{name}": (WIDTH,) for name in ("attn_norm", "ffn_norm")}
    matrices = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")
    shapes |= {f"blk.0.{name}": (WIDTH, WIDTH) for name in matrices}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", (random.standard_normal(shape) / 6).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def items_table(path: Path) -> Path:
    options = ["The  man", "the other", " Can't be determined"]
    rows = [
        {
            "item_id": f"bbq/{number}",
            "suite": "bbq",
            "category": "Age",
            "cluster": f"c{number}",
            "condition": "ambiguous",
            "context": context,
            "question": "Who was it — or who not?",
            "options": options,
            "roles": ["stereotype", "anti_stereotype", "unknown"],
            "label": 2,
            "permutation": [2, 0, 1],
            "split": "held_out",
        }
        for number, context in enumerate(["The man saw the other. ", " A and  B\nor C", "<|user|> said: </s>the"])
    ]
    pd.DataFrame(rows).to_parquet(path)
    return path


def gate(folder: Path, weights: Path, transformers: Path, **parity_settings: float) -> dict[str, Any]:
    """Run the gate on the items of `items_table`, in two formats."""
    settings = {"parity": parity_settings, "models": {"tiny": {}}, "infer": {"formats": {"bbq": [LIKELIHOOD, LETTER]}}}
    output = folder / "model.json"
    files = ["--items", items_table(folder / "bbq.parquet"), "--weights", weights, "--folder", transformers]
    parity(["--settings", json.dumps(settings), *map(str, files), "--output", str(output)])
    found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return found


def failed(folder: Path) -> dict[str, Any]:
    """What a gate that failed leaves: its numbers alone."""
    assert not (folder / "model.json").exists()
    assert not (folder / "model.exact.gguf").exists()
    found: dict[str, Any] = json.loads((folder / "model.failed.json").read_text(encoding="utf-8"))
    assert found["passed"] is False
    return found


@pytest.mark.parametrize("prefix", [None, True, False])
@pytest.mark.parametrize("named", [True, False])
def test_a_sentence_piece_model_has_the_same_prompts_in_both_backends(
    prefix: bool | None, named: bool, tmp_path: Path
) -> None:
    """Spaces after control tokens stand where llama.cpp puts them; begin and end tokens are those that it takes."""
    weights = write_sentence_piece(tmp_path / "model.gguf", prefix=prefix, named=named)
    convert(weights, tmp_path / "folder")
    record = gate(tmp_path, weights, tmp_path / "folder")
    prompts = record["prompts"]["bbq"]
    assert (prompts["n_prompts"], prompts["n_differ"], prompts["first"]) == (6, 0, None)
    assert {name: (found["n_items"], found["n_options"]) for name, found in record["exact"]["bbq"].items()} == {
        LIKELIHOOD: (3, 9),
        LETTER: (3, 9),
    }
    assert all(found["max_abs_difference"] < 1e-4 for found in record["exact"]["bbq"].values())
    assert not (tmp_path / "model.exact.gguf").exists()


@pytest.mark.parametrize(("prefix", "start"), [(True, "<s>"), (False, "\n")])
def test_a_sentence_follows_the_begin_token_where_a_line_break_is_several_tokens(
    prefix: bool, start: str, tmp_path: Path
) -> None:
    """A SentencePiece vocabulary may put a space before it, also in a file that says that no begin token is added."""
    weights = write_sentence_piece(tmp_path / "model.gguf", prefix=prefix, adds=False)
    assert start_text(weights) == start
    convert(weights, tmp_path / "folder")
    assert gate(tmp_path, weights, tmp_path / "folder")["prompts"]["bbq"]["n_differ"] == 0


def test_other_weights_fail_the_gate(tmp_path: Path) -> None:
    """By one matrix, a hundredth larger; afterwards a gate that passes takes the numbers of the failure away."""
    weights = write_sentence_piece(tmp_path / "model.gguf")
    convert(weights, tmp_path / "folder")
    path = tmp_path / "folder" / "model.safetensors"
    right = path.read_bytes()
    tensors = load_file(path)
    tensors["model.layers.0.self_attn.v_proj.weight"] *= 1.01
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(
        InputError, match=r"bbq as likelihood: \|difference\| \d\.\d{4} > 0\.0001 nats in exact arithmetic"
    ):
        gate(tmp_path, weights, tmp_path / "folder", max_abs_difference=0.0001)
    assert failed(tmp_path)["exact"]["bbq"][LIKELIHOOD]["max_abs_difference"] > 0.0001
    path.write_bytes(right)
    assert gate(tmp_path, weights, tmp_path / "folder", max_abs_difference=0.0001)["passed"] is True
    assert not (tmp_path / "model.failed.json").exists()


@pytest.mark.parametrize(("items", "asked"), [(1, 1), (2, 2), (9, 3)])
def test_as_many_items_as_the_settings_say(items: int, asked: int, tmp_path: Path) -> None:
    """At most those that there are."""
    weights = write_sentence_piece(tmp_path / "model.gguf")
    convert(weights, tmp_path / "folder")
    assert gate(tmp_path, weights, tmp_path / "folder", items=items)["exact"]["bbq"][LETTER]["n_items"] == asked


def break_spaces(tokenizer: dict[str, Any]) -> None:
    """As transformers reads such a file: no space after a control token."""
    tokenizer["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}


def break_control_tokens(tokenizer: dict[str, Any]) -> None:
    tokenizer["added_tokens"] = [token for token in tokenizer["added_tokens"] if token["content"] != "<|user|>"]


@pytest.mark.parametrize("fault", [break_spaces, break_control_tokens])
def test_other_tokens_fail_the_gate_and_the_first_place_is_named(
    fault: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    """In the message and in the file."""
    weights = write_sentence_piece(tmp_path / "model.gguf")
    convert(weights, tmp_path / "folder")
    path = tmp_path / "folder" / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    fault(tokenizer)
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"bbq: \d of 6 prompts have other tokens, first 'bbq/0' as (letter|likelihood), prompt"
    ):
        gate(tmp_path, weights, tmp_path / "folder")
    first = failed(tmp_path)["prompts"]["bbq"]["first"]
    assert first["llama"] != first["transformers"]
    assert first["place"] > 0
