"""The Hugging Face folder: same weights, same ids, same files, same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.transformers_files import TRANSFORMERS_FILES

main = command("transformers-weights")


def unpermuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """llama.cpp stores rotary pairs (i, i + half) of a head next to each other; put them back."""
    half = rows.shape[0] // heads // 2
    blocks = [rows[head * 2 * half : (head + 1) * 2 * half] for head in range(heads)]
    return np.concatenate([np.concatenate([block[0::2], block[1::2]]) for block in blocks])


def test_folder(make_tiny: Callable[..., dict[str, np.ndarray]], tmp_path: Path) -> None:
    from safetensors.numpy import load_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    weights = make_tiny(tmp_path / "tiny.gguf")
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        main(["--weights", str(tmp_path / "tiny.gguf"), "--output-folder", str(folder)])
    assert tuple(sorted(path.name for path in first.iterdir())) == TRANSFORMERS_FILES
    for name in TRANSFORMERS_FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()

    stored = load_file(first / "model.safetensors")
    layer = "model.layers.1.self_attn."
    np.testing.assert_array_equal(stored[layer + "q_proj.weight"], unpermuted(weights["blk.1.attn_q.weight"], 4))
    np.testing.assert_array_equal(stored[layer + "k_proj.weight"], unpermuted(weights["blk.1.attn_k.weight"], 2))
    np.testing.assert_array_equal(stored[layer + "v_proj.weight"], weights["blk.1.attn_v.weight"])
    np.testing.assert_array_equal(stored["model.layers.0.mlp.down_proj.weight"], weights["blk.0.ffn_down.weight"])
    norm = stored["model.layers.0.input_layernorm.weight"]
    np.testing.assert_array_equal(norm.astype(np.float32), weights["blk.0.attn_norm.weight"])

    config = json.loads((first / "config.json").read_text(encoding="utf-8"))
    assert "quantization_config" not in config
    assert str(tmp_path) not in json.dumps(config)
    tokenizer = AutoTokenizer.from_pretrained(first)
    assert tokenizer.encode("1984")[-4:] == tokenizer.convert_tokens_to_ids(list("1984"))
    assert "Always." in tokenizer.apply_chat_template([{"role": "user", "content": "Always."}], tokenize=False)
    assert AutoModelForCausalLM.from_pretrained(first).config.num_key_value_heads == 2


def test_other_token_ids_are_refused(make_tiny: Callable[..., dict[str, np.ndarray]], tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    from edgebias.models.convert import check_token_ids

    make_tiny(tmp_path / "tiny.gguf")
    with pytest.raises(InputError, match=r"gives other ids than llama\.cpp for 'In 1984"):
        check_token_ids(tmp_path / "tiny.gguf", Tokenizer(models.BPE()))


def test_a_foreign_file_in_the_folder_is_refused(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "chat_template.jinja").write_text("{{ other }}", encoding="utf-8")
    with pytest.raises(InputError, match=r"chat_template\.jinja: does not belong there"):
        main(["--weights", str(tiny), "--output-folder", str(tmp_path / "folder")])
