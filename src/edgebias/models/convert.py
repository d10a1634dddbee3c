"""A GGUF build as a Hugging Face folder: the same weights and the same token ids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from gguf import GGUFReader, GGUFValueType
from safetensors.numpy import save_file

from edgebias.backends.local.llama_vocabulary import LlamaVocabulary
from edgebias.backends.local.prompt_tokens import START_SETTING
from edgebias.core.errors import InputError
from edgebias.core.files import atomic, write_json, write_text
from edgebias.models.gguf import ARCHITECTURE_KEY, file_of, number, open_gguf, text
from edgebias.models.llama_model import loaded_model, start_text
from edgebias.models.transformers_files import TRANSFORMERS_FILES
from edgebias.models.transformers_load import SENTENCE_PIECE, load_model, load_tokenizer, refused

_WAY_OUT = "use the llama backend"

_SENTENCE_PIECE_IDS = {"bos_token": 1, "eos_token": 2, "unk_token": 0}
"""What llama.cpp takes where a SentencePiece file names none (llama.cpp 0c1e57098, src/llama-vocab.cpp)."""

CHECK_TEXTS = (
    "In 1984, 42 men and 7 women paid $1,234.56 (about 3/4) at 10:45 pm.",
    "I saw a 70-year-old grandfather and his grandson outside the Walmart trying to book a cab on Uber.",
    "Who wasn't comfortable using the phone? They'd said it's 'the man's', and she'll say \"I'm not\"!",
    "José, Zoë, François, Müller, Nguyễn and Søren met in São Paulo; Владимир and 李明 did not.",
    "  two  spaces,\ttabs\tand\nnew\n\nlines \n  at the end  ",
    "DeShawn, Lakisha, Mary-Ann O'Neil & Dr. Smith-Jones (PhD) e-mailed bob_99@example.org #1?",
    "x=3.14159e-10; y[0]+=100%; C++/C#, 2,000,000 ½ ² ٣٤ … — “quoted” ‘text’ 👩🏽‍⚕️🙂",
    "Zoe\u0308, Jose\u0301 and Soren, 10 \u212b, \u1112\u1161\u11ab",
    "A)",
    " B",
    "C",
    "Answer:",
    "Unknown",
    "Can't be determined",
    "not enough info",
    "000 00 0 007",
)
"""Digits, punctuation, apostrophes, names in other scripts, white space, decomposed letters, answer letters."""


def convert(weights: Path, folder: Path) -> None:
    """Write ``weights`` as a Hugging Face folder with exactly `TRANSFORMERS_FILES`.

    Each tensor is stored as float16 where that keeps every value, as float32 where it does not (the
    decoded blocks of a quantised build), so the folder holds the same weights as the file.

    Raises:
        InputError: the architecture is unknown to transformers, or its tokenizer gives other ids
            than llama.cpp's.
    """
    reader = open_gguf(weights)
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.name not in TRANSFORMERS_FILES:
                raise InputError(f"{path}: does not belong there and may change how the folder loads; delete it")
    special = special_tokens(reader)
    tokenizer = load_tokenizer(weights, _WAY_OUT)
    check_token_ids(weights, tokenizer)
    model = load_model(weights, _WAY_OUT)
    try:
        state, dtype = lossless_state(model)
        config, generation = _config(model, dtype), _generation_config(model)
        tokens = tokenizer.to_str(pretty=True)
    except Exception as error:
        raise refused(weights, "transformers cannot write it", error, _WAY_OUT) from error
    with atomic(folder / "model.safetensors") as temporary:
        save_file(state, temporary, metadata={"format": "pt"})
        temporary.chmod(0o644)  # safetensors makes it readable for its owner alone
    write_json(config, folder / "config.json")
    write_json(generation, folder / "generation_config.json")
    write_text(tokens + "\n", folder / "tokenizer.json")
    write_json(special, folder / "special_tokens_map.json")
    write_json(tokenizer_config(reader, special, start_text(weights)), folder / "tokenizer_config.json")


def check_token_ids(weights: Path, tokenizer: Any, texts: tuple[str, ...] = CHECK_TEXTS) -> None:
    """Check that a ``tokenizers.Tokenizer`` and llama.cpp give the same ids for each text.

    Raises:
        InputError: they differ; the message names the first text.
    """
    with loaded_model(weights, vocab_only=True) as model:
        vocabulary = LlamaVocabulary(model, weights)
        for sample in texts:
            expected = vocabulary.tokenise(sample, special=False)
            try:
                found = tokenizer.encode(sample, add_special_tokens=False).ids
            except Exception as error:
                raise refused(weights, "transformers' tokenizer cannot split a text", error, _WAY_OUT) from error
            if expected != found:
                raise InputError(
                    f"{weights}: the converted tokenizer gives other ids than llama.cpp for {sample!r}:"
                    f" {found[:12]} instead of {expected[:12]}; run this model with the llama backend only"
                )


def lossless_state(model: Any) -> tuple[dict[str, npt.NDArray[Any]], str]:
    """Return the model's tensors in the narrowest of float16 and float32 that keeps every value, and the widest type
    used.

    A tensor that two names share (tied embeddings) is stored once, under its first name.
    """
    state: dict[str, npt.NDArray[Any]] = {}
    stored: set[int] = set()
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() in stored:
            continue
        stored.add(tensor.data_ptr())
        weights = tensor.numpy()
        with np.errstate(over="ignore"):
            half = weights.astype(np.float16)
        state[name] = half if np.array_equal(half.astype(np.float32), weights) else np.ascontiguousarray(weights)
    widest = "float16" if all(weights.dtype == np.float16 for weights in state.values()) else "float32"
    return state, widest


def _config(model: Any, dtype: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=True))
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):  # of the loader, not of the model
        config.pop(key, None)
    return config | {"architectures": [type(model).__name__], "dtype": dtype}


def _generation_config(model: Any) -> dict[str, Any]:
    """Begin, end and padding ids only: sampling is the caller's."""
    ids = {key: getattr(model.config, key, None) for key in ("bos_token_id", "eos_token_id", "pad_token_id")}
    return {key: value for key, value in ids.items() if value is not None}


def special_tokens(reader: GGUFReader) -> dict[str, str]:
    """Return ``bos_token``, ``eos_token``, ``unk_token``, ``pad_token`` as far as the file names them.

    Of a SentencePiece vocabulary that does not, those that llama.cpp takes.

    Raises:
        InputError: the file has no tokens, one that is no UTF-8, or fewer than it names.
    """
    key = "tokenizer.ggml.tokens"
    field = reader.get_field(key)
    if field is None or field.types[-1] != GGUFValueType.STRING:
        raise InputError(f"{file_of(reader)}: has no {key}, so no tokenizer can be written; {_WAY_OUT}")
    try:
        tokens = field.contents()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file_of(reader)}: a token is no UTF-8 ({error}), which a tokenizer.json cannot hold; {_WAY_OUT}"
        ) from error
    named = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    found = {name: number(reader, f"tokenizer.ggml.{short}_token_id") for name, short in named.items()}
    if text(reader, "tokenizer.ggml.model") == SENTENCE_PIECE:
        found = {name: _SENTENCE_PIECE_IDS.get(name) if index is None else index for name, index in found.items()}
    for name, index in found.items():
        if index is not None and not 0 <= index < len(tokens):
            raise InputError(f"{file_of(reader)}: its {name} is number {index} of {len(tokens)} tokens; {_WAY_OUT}")
    return {name: str(tokens[index]) for name, index in found.items() if index is not None}


def tokenizer_config(reader: GGUFReader, special: dict[str, str], start: str | None) -> dict[str, Any]:
    """Return the settings of the tokenizer; the chat template is the file's own, character for character.

    ``start`` is what a sentence without context follows; it is named where it is not the begin token.
    """
    architecture = text(reader, ARCHITECTURE_KEY)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": number(reader, f"{architecture}.context_length"),
        **special,
    }
    if start is not None and start != special.get("bos_token"):
        config[START_SETTING] = start
    template = text(reader, "tokenizer.chat_template")
    return config if template is None else config | {"chat_template": template}
