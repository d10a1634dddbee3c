"""The files of a Hugging Face folder; the pipeline declares each of them as an output."""

from __future__ import annotations

TRANSFORMERS_FILES: tuple[str, ...] = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)
"""Exactly these come out of ``edgebias transformers-weights``, on every run, with the same bytes."""
