"""Tokenizer and weights of a GGUF file in transformers, read once and without its slow paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError
from edgebias.models.gguf import metadata, open_gguf

SINGLE_DIGIT_PRETOKENIZERS = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"})
"""``tokenizer.ggml.pre`` values for which llama.cpp splits digits one by one before GPT-2's pattern
(llama.cpp 0c1e57098, src/llama-vocab.cpp)."""

_FAULTS = (OSError, ValueError, KeyError, NotImplementedError)


def load_tokenizer(weights: Path, way_out: str) -> Any:
    """Return the file's tokenizer as a ``tokenizers.Tokenizer``, pre-tokenizer mended where transformers loses it.

    Raises:
        InputError: transformers cannot read it; the message ends with ``way_out``.
    """
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    with _quick_transformers():
        try:
            loaded = AutoTokenizer.from_pretrained(str(weights.parent), gguf_file=weights.name)
        except _FAULTS as error:
            raise InputError(f"{weights}: transformers cannot read its tokenizer ({error}); {way_out}") from error
    tokenizer = loaded.backend_tokenizer
    if metadata(open_gguf(weights), "tokenizer.ggml.pre") in SINGLE_DIGIT_PRETOKENIZERS:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    return tokenizer


def load_model(weights: Path, way_out: str) -> Any:
    """Return the file's weights, decoded to float32, in transformers' model of its architecture.

    Raises:
        InputError: transformers cannot read them; the message ends with ``way_out``.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with _quick_transformers():
        try:
            return AutoModelForCausalLM.from_pretrained(
                str(weights.parent), gguf_file=weights.name, dtype=torch.float32
            )
        except _FAULTS as error:
            raise InputError(f"{weights}: transformers cannot read it ({error}); {way_out}") from error


@contextmanager
def _quick_transformers() -> Iterator[None]:
    """Keep transformers off the network and quiet, with gguf-py's two slow calls answered from a cache.

    transformers parses the file again for configuration, tokenizer and weights, and makes the table of tensor names
    once for every module of the model (397 times for SmolLM2-135M): 24 s instead of 5 s.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import gguf
    from transformers.utils import logging

    level, reader, name_map = logging.get_verbosity(), gguf.GGUFReader, gguf.get_tensor_name_map
    logging.set_verbosity_error()
    gguf.GGUFReader = lambda path: open_gguf(Path(path))
    gguf.get_tensor_name_map = lru_cache(name_map)
    try:
        yield
    finally:
        gguf.GGUFReader, gguf.get_tensor_name_map = reader, name_map
        logging.set_verbosity(level)
