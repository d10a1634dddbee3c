"""One build: settings to file and record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebias.backends.base import Backend, Message, NotFiniteError, OptionRequest, OptionScores, Prompt
from edgebias.core.errors import InputError
from edgebias.core.files import atomic, write_json
from edgebias.models.gguf import ARCHITECTURE_KEY, number, open_gguf, text
from edgebias.models.perplexity import Perplexity, mean_negative_log_likelihood, neutral_sentences, sentence_scorer
from edgebias.models.settings import FullType, ModelSettings, Pruning, VariantRecordSettings, VariantSettings

PERPLEXITY_CONTEXT = 512
"""Cells for one sentence: more than the 400 bytes a sentence has at most."""

FULL_WAY_OUT: Mapping[FullType, str] = {
    "F16": "its activations leave the range of 16-bit floats; set models.NAME.full_type: BF16 (or F32)",
    "BF16": "its weights or its tokenizer are damaged, as BF16 has the range of 32 bits; choose another source file",
    "F32": "its weights or its tokenizer are damaged, as nothing is rounded in F32; choose another source file",
}
"""By the type of the full build: why logits are not finite, and what to do."""

QUANTISED_WAY_OUT = (
    "its activations leave the range of the 16-bit scales that {} gives them; choose a K-quant such as Q6_K or Q4_K_M"
)
"""The same for a quantised build."""


def calibration_sequences(weights: Path, texts: Path, n_tokens: int, seed: int = 0) -> tuple[list[list[int]], int]:
    """Return the token ids that a method is calibrated with.

    Neutral sentences joined by spaces, cut into sequences that each begin with the start token. Each seed takes the
    sentences in another order, so mostly others of them.

    Returns:
        The sequences, all of one length (at most 256), ``n_tokens`` in all rounded down to whole
        sequences; and how many sentences they come from.

    Raises:
        InputError: more tokens than one forward pass of llama.cpp can hold, or than the text has.
    """
    from edgebias.backends.local.llama_vocabulary import LlamaVocabulary
    from edgebias.models.llama_model import loaded_model
    from edgebias.models.wanda import MAX_SEQUENCES, SEQUENCE_TOKENS

    length = min(SEQUENCE_TOKENS, n_tokens)
    count = n_tokens // length
    if length < 2 or count > MAX_SEQUENCES:
        raise InputError(
            f"variant_record.calibration_tokens: {n_tokens} is outside 2 to {MAX_SEQUENCES * SEQUENCE_TOKENS}"
        )
    with loaded_model(weights, vocab_only=True) as model:
        vocabulary = LlamaVocabulary(model, weights)
        head = vocabulary.start()
        body = length - len(head)
        ids: list[int] = []
        used = 0
        for sentence in _in_order(neutral_sentences(texts, "calibration"), seed):
            if len(ids) >= count * body:
                break
            ids.extend(vocabulary.tokenise(sentence if not ids else " " + sentence, special=False))
            used += 1
    if len(ids) < count * body:
        raise InputError(f"variant_record.calibration_tokens: the neutral text has only {len(ids)}; ask for fewer")
    return [head + ids[index * body : (index + 1) * body] for index in range(count)], used


def _in_order(sentences: list[str], seed: int) -> list[str]:
    """Return the sentences as seed 0 has them, or in the order of the SHA-256 of seed and sentence."""
    if seed == 0:
        return sentences
    return sorted(sentences, key=lambda sentence: hashlib.sha256(f"{seed} {sentence}".encode()).digest())


def measure_perplexity(weights: Path, texts: Path, n_tokens: int) -> Perplexity:
    """Measure the perplexity of a file through the llama backend, on one thread."""
    from tqdm import tqdm

    from edgebias.backends.local.llama_engine import LlamaBackend

    reader = open_gguf(weights)
    trained = number(reader, f"{text(reader, ARCHITECTURE_KEY)}.context_length")
    context = min(PERPLEXITY_CONTEXT, trained or PERPLEXITY_CONTEXT)
    with ExitStack() as stack:
        backend = stack.enter_context(
            LlamaBackend(weights, threads=1, context=context, start_token=None, memory_mb=None)
        )
        progress = stack.enter_context(tqdm(total=n_tokens, desc="perplexity", unit="token", mininterval=5, ascii=True))
        _check_chat(backend)
        score = sentence_scorer(backend.score)

        def counted(sentences: list[str]) -> Iterable[OptionScores]:
            for scores in score(sentences):
                progress.update(scores.n_tokens[0])
                yield scores

        return mean_negative_log_likelihood(counted, neutral_sentences(texts, "perplexity"), n_tokens)


def _check_chat(backend: Backend) -> None:
    """Score one letter after a chat turn, whose control tokens may have the largest activations.

    Raises:
        NotFiniteError: its logits are not finite.
    """
    try:
        list(backend.score([OptionRequest(Prompt(messages=(Message("user", "A or B?"),)), ("A",))]))
    except NotFiniteError:
        raise
    except InputError:  # no chat template, or one that wants other turns: then it is not asked so
        return


def full(
    source: Path, texts: Path, model: ModelSettings, settings: VariantRecordSettings, output: Path, record: Path
) -> None:
    """Write the full-precision build of ``source`` to ``output`` and its record to ``record``.

    Raises:
        InputError: the source is no whole GGUF model, a weight does not fit the type, the logits are not finite, or
            the texts are missing.
    """
    from edgebias.models.full import write_full
    from edgebias.models.llama_model import check_runs, one_line_on_abort
    from edgebias.models.record import type_table

    published = type_table(open_gguf(source).tensors)
    details = {
        "variant": "full",
        "source_types": {name: asdict(use) for name, use in published.items()},
        "note": (
            "Full precision means the published file decoded: what its quantisation lost stays lost."
            if set(published) - {"F16", "F32", "BF16"}
            else "The published file holds float weights."
        ),
    }
    neutral_sentences(texts, "perplexity")  # a fault in the texts shows before the long work
    check_runs(source)
    with atomic(output) as temporary, one_line_on_abort(source, temporary), blamed_on(source, temporary):
        matrices: FullType = model.full_type or "F16"
        write_full(source, temporary, model.start_token, matrices)
        with refusing(output, FULL_WAY_OUT[matrices]):
            entries = measure(temporary, texts, settings, file_type=matrices, requested_sparsity=None)
        write_json(details | entries, record)


def build(
    name: str,
    recipe: VariantSettings,
    parent: Path,
    texts: Path,
    settings: VariantRecordSettings,
    output: Path,
    record: Path,
) -> None:
    """Write one compressed build of ``parent`` to ``output`` and its record to ``record``.

    Raises:
        InputError: the parent is no whole GGUF model, cannot be pruned or quantised as asked, the logits are not
            finite, or the texts are missing.
    """
    from edgebias.models.llama_model import check_runs, one_line_on_abort
    from edgebias.models.quantise import write_quantised

    if recipe.by_library:
        raise InputError(f"variants.{name}: llm-compressor makes it; call `edgebias compress-by-library`")
    if recipe.prune is None and recipe.quantise is None:
        raise InputError(f"variants.{name}: neither 'prune' nor 'quantise' is given; name at least one")
    open_gguf(parent)
    neutral_sentences(texts, "perplexity")
    check_runs(parent)
    details: dict[str, Any] = {"variant": name, "from": recipe.parent or "full", "pruning": None}
    requested = None if recipe.prune is None else recipe.prune.share
    with atomic(output) as temporary, one_line_on_abort(parent, temporary), blamed_on(parent, temporary):
        if recipe.prune is None:
            weighted, weights = _importance(parent, recipe, texts, settings)
            write_quantised(parent, temporary, str(recipe.quantise), weights)
            details |= weighted
        elif recipe.quantise is None:
            details["pruning"] = _prune(parent, temporary, recipe.prune, texts, settings)
        else:
            with _scratch(temporary) as pruned:
                details["pruning"] = _prune(parent, pruned, recipe.prune, texts, settings)
                weighted, weights = _importance(pruned, recipe, texts, settings)
                write_quantised(pruned, temporary, recipe.quantise, weights)
                details |= weighted
        if recipe.prune is not None:
            details["pruning"] |= pattern_found(temporary, recipe.prune)
        file_type = recipe.quantise or float_type(temporary)
        with refusing(output, QUANTISED_WAY_OUT.format(recipe.quantise) if recipe.quantise else FULL_WAY_OUT["F16"]):
            entries = measure(temporary, texts, settings, file_type=file_type, requested_sparsity=requested)
        write_json(details | entries, record)


@contextmanager
def refusing(build: Path, way_out: str) -> Iterator[None]:
    """Refuse ``build`` where its logits are not finite."""
    try:
        yield
    except NotFiniteError as error:
        raise InputError(f"{build}: the model's logits are not finite: {way_out}") from error


@contextmanager
def blamed_on(source: Path, being_written: Path) -> Iterator[None]:
    """Let a fault of a file that is being written name the file that it is made from, which the user can change."""
    try:
        yield
    except InputError as error:
        line = str(error).replace(str(being_written), str(source)).replace(str(_pruned(being_written)), str(source))
        raise InputError(line) from error


def _pruned(beside: Path) -> Path:
    """Return where the pruned file lies while it is quantised; of a killed run `atomic` clears it."""
    return beside.with_suffix(".pruned.part")


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    path = _pruned(beside)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def float_type(path: Path) -> str:
    """Return F16, BF16 or F32: the type of the matrices of an unquantised file."""
    return next(str(tensor.tensor_type.name) for tensor in open_gguf(path).tensors if len(tensor.shape) > 1)


def pattern_found(weights: Path, pruning: Pruning) -> dict[str, Any]:
    """Return how many groups of a file obey the pattern that was asked for; nothing where none was."""
    from edgebias.models.record import groups_obeying

    if pruning.group is None:
        return {}
    return {"pattern_found": groups_obeying(weights, pruning.group, int(pruning.group * pruning.share))}


def _unit(unstructured: str, pruning: Pruning) -> str:
    return unstructured if pruning.group is None else f"{pruning.group} neighbouring inputs of an output"


def _importance(
    source: Path, recipe: VariantSettings, texts: Path, settings: VariantRecordSettings
) -> tuple[dict[str, Any], dict[str, npt.NDArray[np.float32]] | None]:
    """Return what the record says of the importance matrix, and the matrix; nothing where none was asked for."""
    from edgebias.models.prune import check_prunable
    from edgebias.models.wanda import importance

    if not recipe.importance:
        return {}, None
    check_prunable(source)
    sequences, sentences = calibration_sequences(source, texts, settings.calibration_tokens)
    values = "mean squared input of each column of the matrices in blocks, in one forward pass of the parent"
    entry = {"values": values, "calibration": calibration_entry(texts, sequences, sentences)}
    return {"importance": entry}, importance(source, sequences)


def _prune(
    source: Path, target: Path, pruning: Pruning, texts: Path, settings: VariantRecordSettings
) -> dict[str, Any]:
    from edgebias.models.prune import check_prunable, magnitude_masks, write_pruned

    check_prunable(source, pruning.group)
    details: dict[str, Any] = pruning.model_dump(exclude_none=True)
    if pruning.method == "magnitude":
        masks = magnitude_masks(source, pruning.share, pruning.group)
        details["scope"] = "lowest |W| of each " + _unit("matrix", pruning)
    else:
        from edgebias.models.wanda import wanda_masks

        sequences, sentences = calibration_sequences(source, texts, settings.calibration_tokens, pruning.seed or 0)
        masks = wanda_masks(source, sequences, pruning.share, pruning.group)
        details["scope"] = "lowest |W| x ||X||_2 of each " + _unit("output row", pruning)
        details["activations"] = (
            "one forward pass; each matrix is pruned before its product is computed, so later matrices see the"
            " inputs of the pruned model"
        )
        details["calibration"] = calibration_entry(texts, sequences, sentences)
    write_pruned(source, target, masks)
    return details


def calibration_entry(texts: Path, sequences: list[list[int]], sentences: int) -> dict[str, Any]:
    """Return what a record says of the text that calibrated a build."""
    return {
        "text": f"BOLD {texts.name}, part 'calibration', in the order of SHA-256, joined by spaces",
        "sentences": sentences,
        "sequences": len(sequences),
        "tokens_per_sequence": len(sequences[0]),
        "tokens": len(sequences) * len(sequences[0]),
    }


def measure(
    weights: Path, texts: Path, settings: VariantRecordSettings, *, file_type: str, requested_sparsity: float | None
) -> dict[str, Any]:
    """Return the entries of a record that are read from the file, and its perplexity."""
    from edgebias.models.record import describe

    entries = dict(describe(weights, file_type=file_type, requested_sparsity=requested_sparsity))
    perplexity = measure_perplexity(weights, texts, settings.perplexity_tokens)
    entries["perplexity"] = {
        "value": perplexity.value,
        "mean_nll": perplexity.mean_nll,
        "tokens": perplexity.n_tokens,
        "sentences": perplexity.n_sentences,
        "text": f"BOLD {texts.name}, part 'perplexity', in the order of SHA-256, one sentence after the start token",
    }
    return entries
