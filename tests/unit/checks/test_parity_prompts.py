"""The parity gate beyond likelihoods: letters, and prompts compared token by token as both backends read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.convert import convert
from edgebias.suites.formats import LETTER, LIKELIHOOD

parity = command("parity")

WIDTH = 32
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}{{ eos_token }}\n"
    "{% endfor %}<|assistant|>\n"
)
CONTROL = ["<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>"]
PIECES = ["▁", *map(chr, range(33, 127)), "\n", "▁t", "he", "▁the", "▁A", "or", "▁or", "▁▁", "an", "▁an", "ho", "▁W"]


def write_sentence_piece(path: Path, *, prefix: bool | None = None, named: bool = True) -> Path:
    """A one-block llama with a SentencePiece vocabulary; ``prefix`` as the file has it, or left out."""
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


def responses(folder: Path, letters: Any = None, texts: Any = ("A", "B", "C"), choices: Any = (0, 1, 2)) -> Path:
    """A response table of three items, in both formats."""
    folder.mkdir(exist_ok=True)
    logprobs = [[-4.0, -6.0, -7.0], [-3.0, -2.0, -9.0], [-3.0, -3.5, -1.0]]
    table = pd.DataFrame(
        {
            "item_id": [f"bbq/{number}" for number in range(3)],
            "format": LIKELIHOOD,
            "template": "question_answer_v1",
            "text": "",
            "option_logprobs": logprobs,
            "n_tokens": [[2, 2, 2]] * 3,
            "choice": [0, 1, 2],
        }
    )
    asked = table.assign(
        format=LETTER,
        template="letter_chat_v1",
        text=list(texts),
        option_logprobs=letters or logprobs,
        choice=list(choices),
    )
    pd.concat([table, asked]).to_parquet(folder / "bbq.parquet", index=False)
    return folder / "bbq.parquet"


def gate(folder: Path, llama: Path, torch: Path, *more: object) -> dict[str, Any]:
    limits = {"max_abs_difference": 0.5, "p99_abs_difference": 0.1, "mean_abs_difference": 0.03, "min_agreement": 0.98}
    output = folder / "model.json"
    files = ["--llama", llama, "--torch", torch, "--output", output]
    parity(["--settings", json.dumps({"parity": limits}), *map(str, [*files, *more])])
    found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return found


def test_letters_are_compared_beside_likelihoods(tmp_path: Path) -> None:
    """Their numbers have a place of their own."""
    llama = responses(tmp_path / "edge", texts=("A", "B", "C and so"))
    torch = responses(tmp_path / "desktop", [[-4.01, -6.0, -7.0], [-3.0, -2.0, -9.0], [-3.0, -3.5, -1.0]])
    record = gate(tmp_path, llama, torch)
    assert record["suites"]["bbq"]["max_abs_difference"] == 0
    found = record["letters"]["bbq"]
    assert found["max_abs_difference"] == pytest.approx(0.01)
    assert found["agreement"] == 1
    assert found["n_texts_differ"] == 1
    assert found["first_text"] == {"item_id": "bbq/2", "llama": "C and so", "transformers": "C"}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"letters": [[-4.0, -6.0, -9.0]] * 3}, r"bbq as letters: max \|difference\|"),
        ({"choices": (0, 1, 1)}, r"bbq as letters: agreement 0\.6667"),
        ({"letters": [[-4.0, float("nan"), -7.0]] * 3}, r"bbq as letters: max \|difference\| nan"),
    ],
)
def test_other_letters_fail_the_gate(other: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Though the likelihoods agree."""
    llama = responses(tmp_path / "edge")
    torch = responses(tmp_path / "desktop", **other)
    with pytest.raises(InputError, match=message):
        gate(tmp_path, llama, torch)
    assert json.loads((tmp_path / "model.failed.json").read_text(encoding="utf-8"))["letters"]["bbq"]["n_items"] == 3


def test_a_near_tie_and_an_unread_text_are_no_other_letter(tmp_path: Path) -> None:
    """A rounding decides between letters that are as likely; a text that names none is told, and fails nothing."""
    tie = [[-1.0, -1.02, -7.0], [-3.0, -2.0, -9.0], [-3.0, -3.5, -1.0]]
    llama = responses(tmp_path / "edge", tie)
    other = [[-1.02, -1.0, -7.0], *tie[1:]]
    torch = responses(tmp_path / "desktop", other, texts=("B", "B", "Because"), choices=(1, 1, -1))
    found = gate(tmp_path, llama, torch)["letters"]["bbq"]
    assert found["agreement"] == 1
    assert found["n_texts_differ"] == 2


def test_letters_of_one_backend_alone_are_refused(tmp_path: Path) -> None:
    """The same items in the same formats."""
    llama, torch = responses(tmp_path / "edge"), responses(tmp_path / "desktop")
    table = pd.read_parquet(torch)
    table[table["format"] == LIKELIHOOD].to_parquet(torch, index=False)
    with pytest.raises(InputError, match="no 'letter' rows"):
        gate(tmp_path, llama, torch)


@pytest.mark.parametrize("prefix", [None, True, False])
@pytest.mark.parametrize("named", [True, False])
def test_a_sentence_piece_model_has_the_same_prompts_in_both_backends(
    prefix: bool | None, named: bool, tmp_path: Path
) -> None:
    """Spaces after control tokens stand where llama.cpp puts them; begin and end tokens are those that it takes."""
    weights = write_sentence_piece(tmp_path / "model.gguf", prefix=prefix, named=named)
    convert(weights, tmp_path / "folder")
    items = items_table(tmp_path / "bbq.parquet")
    answers = responses(tmp_path / "edge")
    files = ["--items", items, "--weights", weights, "--folder", tmp_path / "folder"]
    record = gate(tmp_path, answers, answers, *files)
    assert record["prompts"]["bbq"] == {"suite": "bbq", "n_prompts": 6, "n_differ": 0, "first": None}


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
    items, answers = items_table(tmp_path / "bbq.parquet"), responses(tmp_path / "edge")
    files = ["--items", items, "--weights", weights, "--folder", tmp_path / "folder"]
    with pytest.raises(InputError, match=r"bbq: \d of 6 prompts have other tokens, first 'bbq/0' as letter, prompt"):
        gate(tmp_path, answers, answers, *files)
    failed = json.loads((tmp_path / "model.failed.json").read_text(encoding="utf-8"))
    first = failed["prompts"]["bbq"]["first"]
    assert first["llama"] != first["transformers"]
    assert first["place"] > 0


@pytest.mark.parametrize("left_out", ["--weights", "--folder"])
def test_items_need_both_weights(left_out: str, tmp_path: Path) -> None:
    """One line says what is missing."""
    answers = responses(tmp_path / "edge")
    files = {"--items": tmp_path / "bbq.parquet", "--weights": tmp_path / "m.gguf", "--folder": tmp_path}
    flags = [part for flag, path in files.items() if flag != left_out for part in (flag, path)]
    with pytest.raises(InputError, match="--items: give one table for each"):
        gate(tmp_path, answers, answers, *flags)
