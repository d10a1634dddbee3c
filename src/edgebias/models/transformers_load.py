"""Tokenizer and weights of a GGUF file in transformers, read once and without its slow paths."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError, one_line
from edgebias.models.gguf import metadata, open_gguf

SINGLE_DIGIT_PRETOKENIZERS = frozenset({"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone"})
"""``tokenizer.ggml.pre`` values for which llama.cpp splits digits one by one before GPT-2's pattern
(llama.cpp 0c1e57098, src/llama-vocab.cpp)."""

SENTENCE_PIECE = "llama"
"""``tokenizer.ggml.model`` of a SentencePiece vocabulary."""

BYTE_PAIRS = "gpt2"
"""``tokenizer.ggml.model`` of a byte-pair vocabulary."""

NO_WEIGHTS = frozenset({"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"})
"""Tensors of a file that transformers keeps in its configuration."""

LONGEST_REASON = 200
"""Characters of another library's message that a line repeats."""


def load_tokenizer(weights: Path, way_out: str) -> Any:
    """Return the file's tokenizer as a ``tokenizers.Tokenizer`` that reads texts as llama.cpp reads them.

    Raises:
        InputError: transformers cannot read it; the message ends with ``way_out``.
    """
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    with _quick_transformers():
        try:
            loaded = AutoTokenizer.from_pretrained(str(weights.parent), gguf_file=weights.name)
        except Exception as error:
            raise refused(weights, "transformers cannot read its tokenizer", error, way_out) from error
    tokenizer = getattr(loaded, "backend_tokenizer", None)
    if tokenizer is None:
        raise InputError(f"{weights}: transformers has no fast tokenizer for it; {way_out}")
    if metadata(open_gguf(weights), "tokenizer.ggml.model") == SENTENCE_PIECE:
        _space_as_llama_cpp(tokenizer, metadata(open_gguf(weights), "tokenizer.ggml.add_space_prefix"))
    elif metadata(open_gguf(weights), "tokenizer.ggml.model") == BYTE_PAIRS:
        tokenizer.normalizer = None  # llama.cpp has none; transformers composes accents for some architectures (NFC)
    if metadata(open_gguf(weights), "tokenizer.ggml.pre") in SINGLE_DIGIT_PRETOKENIZERS:
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        )
    return tokenizer


def _space_as_llama_cpp(tokenizer: Any, prefix: bool | None) -> None:
    """Put a space before every stretch of text between control tokens where llama.cpp does, and nowhere else.

    transformers puts one before the first stretch alone, and none before a text that begins with one; it does not read
    ``tokenizer.ggml.add_space_prefix``, which llama.cpp takes for true where the file lacks it.
    """
    from tokenizers import normalizers, pre_tokenizers

    spaces = normalizers.Replace(" ", "\u2581")
    if prefix is not False:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), spaces])
        tokenizer.pre_tokenizer = None
    elif isinstance(tokenizer.pre_tokenizer, pre_tokenizers.Metaspace):
        tokenizer.normalizer, tokenizer.pre_tokenizer = spaces, None


def load_model(weights: Path, way_out: str) -> Any:
    """Return the file's weights, decoded to float32, in transformers' model of its architecture.

    Raises:
        InputError: transformers cannot read them, or not all of them; the message ends with ``way_out``.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with _quick_transformers():
        try:
            model = AutoModelForCausalLM.from_pretrained(
                str(weights.parent), gguf_file=weights.name, dtype=torch.float32
            )
        except Exception as error:
            raise refused(weights, "transformers cannot read it", error, way_out) from error
    found = sum(parameter.numel() for parameter in model.parameters())
    there = sum(int(tensor.n_elements) for tensor in open_gguf(weights).tensors if tensor.name not in NO_WEIGHTS)
    if found != there:
        raise InputError(
            f"{weights}: it has {there} weights, and transformers' {type(model).__name__} has {found}: some would be"
            f" left out or made up; {way_out}"
        )
    return model


def refused(weights: Path, what: str, error: Exception, way_out: str) -> InputError:
    """Return the line for an ``error`` of transformers, which raises whatever its code meets in a foreign file."""
    reason = one_line(error, LONGEST_REASON)
    return InputError(f"{weights}: {what} ({type(error).__name__}: {reason}); {way_out}")


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
