"""A three-block llama model of width 32 with a byte-level tokenizer, in float32; a study of trust, known by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
import pandas as pd
import pytest
from trust_study import SEEDS, TRUST_BUILDS, trust_arguments

from edgebias.cli import command
from edgebias.core import registry

WIDTH, HEADS, BLOCKS = 32, 2, 3
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = "{% for m in messages %}<|im_start|>{{ m['content'] }}<|im_end|>{% endfor %}<|im_start|>"


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model file."""
    path = tmp_path_factory.mktemp("tiny") / "tiny.gguf"
    random = np.random.default_rng(7)
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    alphabet = [*map(chr, kept), *(chr(256 + index) for index in range(256 - len(kept)))]
    tokens = [*SPECIAL, *alphabet, "Ġt", "he"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["Ġ t", "h e"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)

    def add(name: str, *shape: int) -> None:
        values = random.standard_normal(shape) / np.sqrt(shape[-1]) if len(shape) > 1 else np.ones(shape)
        writer.add_tensor(f"{name}.weight", values.astype(np.float32))

    add("token_embd", len(tokens), WIDTH)
    add("output_norm", WIDTH)
    for block in range(BLOCKS):
        for name in ("attn_norm", "ffn_norm"):
            add(f"blk.{block}.{name}", WIDTH)
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{block}.{name}", WIDTH, WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            add(f"blk.{block}.{name}", 2 * WIDTH, WIDTH)
        add(f"blk.{block}.ffn_down", WIDTH, 2 * WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


QUIZ = {"full": 80, "q8_0": 80, "gptq4": 78, "other_text": 74, "third": 70}
QUIZ |= {"q3_k_m": 60, "q2_k": 40, "magnitude50": 30}
"""Right answers of 100, by build."""

AGREEING = {"full": 12, "q8_0": 12, "gptq4": 13, "other_text": 15, "third": 17}
AGREEING |= {"q3_k_m": 22, "q2_k": 36, "magnitude50": 0}
"""Agreeing answers of 60; the pruned build refuses all."""


@pytest.fixture(scope="module")
def trust_study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A study of two suites that measure trust and eight builds whose answers are known, scored by the stage."""
    root = tmp_path_factory.mktemp("trust")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_plugins", {})
        patch.syspath_prepend(str(Path(__file__).parents[1] / "plugins"))
        registry.load_plugins(["quiz_suite", "creed_suite"])
        _write_items(root, "quiz", 100, ["option"] * 4, [n % 4 for n in range(100)])
        _write_items(root, "creed", 60, ["stereotype", "anti_stereotype"], [-1] * 60)
        for variant, (bits, sparsity, perplexity) in TRUST_BUILDS.items():
            right = [n % 4 if n < QUIZ[variant] else (n + 1) % 4 for n in range(100)]
            _write_answers(root, variant, "quiz", ("likelihood", "letter"), right, ["option"] * 4)
            agrees = [0 if n < AGREEING[variant] else 1 for n in range(60)]
            roles = ["stereotype", "anti_stereotype"]
            _write_answers(root, variant, "creed", ("letter",), [-1] * 60 if sparsity else agrees, roles)
            requested = variant.upper() if variant.startswith("q") else "F16"
            record = {"requested_type": requested, "bits_per_weight": bits, "perplexity": {"value": perplexity}}
            record |= {"from": "full"} if variant != "full" else {}
            if variant in SEEDS:
                made = {"method": "gptq", "bits": 4, "group": 64, "seed": SEEDS[variant], "calibration": {}}
                record |= {"fake_quantisation": made | {"nominal_bits_per_weight_of_file": 4.25}}
            zeros = {"overall": max(sparsity, 0.12 * (bits < 8)), "requested": sparsity or None}
            path = root / "models/tiny" / f"{variant}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(record | {"sparsity": zeros}))
        command("trust")(trust_arguments(root))
        yield root


def _write_items(root: Path, suite: str, n: int, roles: list[str], labels: list[int]) -> None:
    items = pd.DataFrame(
        {
            **{"item_id": f"i{at:03d}", "suite": suite, "category": "all of it", "cluster": f"c{at:03d}"},
            **{"condition": "plain", "options": list("abcd")[: len(roles)], "roles": roles, "label": labels[at]},
        }
        for at in range(n)
    )
    (root / "items").mkdir(exist_ok=True)
    items.to_parquet(root / "items" / f"{suite}.parquet")


def _write_answers(
    root: Path, variant: str, suite: str, forms: tuple[str, ...], choices: list[int], roles: list[str]
) -> None:
    rows = [
        {
            **{"item_id": f"i{at:03d}", "format": form, "permutation": list(range(len(roles))), "template": "t"},
            **{"round": 0, "option_logprobs": [], "n_tokens": [], "choice": choice, "text": ""},
            "outcome": roles[choice] if choice >= 0 else "refusal",
        }
        for form in forms
        for at, choice in enumerate(choices)
    ]
    path = root / "responses/edge/tiny" / variant / f"{suite}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_parquet(path)
