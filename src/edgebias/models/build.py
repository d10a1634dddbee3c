"""One build: settings to file and record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from edgebias.backends.base import OptionScores
from edgebias.core.errors import InputError
from edgebias.core.files import atomic, write_json
from edgebias.models.gguf import START_TOKEN_KEY, metadata, open_gguf
from edgebias.models.perplexity import Perplexity, mean_negative_log_likelihood, neutral_sentences, sentence_scorer

PERPLEXITY_CONTEXT = 512
"""Cells for one sentence: more than the 400 bytes a sentence has at most."""

PruneMethod = Literal["magnitude", "wanda"]


@dataclass(frozen=True)
class Pruning:
    """How to prune: by which score, and which share of the prunable weights goes."""

    method: PruneMethod
    sparsity: float


@dataclass(frozen=True)
class Recipe:
    """What to do with the parent: prune first, then quantise; either may be absent."""

    parent: str
    pruning: Pruning | None
    file_type: str | None


@dataclass(frozen=True)
class RecordSettings:
    """Sizes of the two neutral texts, in tokens."""

    calibration_tokens: int
    perplexity_tokens: int


def parse_recipe(name: str, section: Mapping[str, Any]) -> Recipe:
    """Check a ``variants.{variant}`` section.

    Raises:
        InputError: an unknown key, method or value, or nothing to do.
    """
    known = {"from", "prune", "quantise"}
    for key in section:
        if key not in known:
            raise InputError(f"variants.{name}: unknown key {key!r}; known are {', '.join(sorted(known))}")
    if "prune" not in section and "quantise" not in section:
        raise InputError(f"variants.{name}: neither 'prune' nor 'quantise' is given; name at least one")
    pruning = None
    if "prune" in section:
        values = section["prune"]
        if not isinstance(values, Mapping) or set(values) != {"method", "sparsity"}:
            raise InputError(f"variants.{name}.prune: give exactly 'method' and 'sparsity'")
        method, share = values["method"], values["sparsity"]
        if method not in get_args(PruneMethod):
            raise InputError(f"variants.{name}.prune.method: {method!r} is none of {', '.join(get_args(PruneMethod))}")
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise InputError(f"variants.{name}.prune.sparsity: {share!r} is not a share above 0 and below 1")
        pruning = Pruning(method=cast(PruneMethod, method), sparsity=float(share))
    file_type = section.get("quantise")
    if file_type is not None:
        from edgebias.models.quantise import check_type

        check_type(str(file_type))
    return Recipe(parent=str(section.get("from", "full")), pruning=pruning, file_type=file_type)


def parse_record_settings(section: Mapping[str, Any]) -> RecordSettings:
    """Check the ``variant_record`` section.

    Raises:
        InputError: a key is missing or no positive whole number.
    """
    for key in ("calibration_tokens", "perplexity_tokens"):
        value = section.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"variant_record.{key}: a positive whole number is needed, not {value!r}")
    return RecordSettings(section["calibration_tokens"], section["perplexity_tokens"])


def calibration_sequences(weights: Path, texts: Path, n_tokens: int) -> tuple[list[list[int]], int]:
    """Token ids for Wanda: neutral sentences joined by spaces, cut into sequences that each begin with the start token.

    Returns:
        The sequences, all of one length (at most 256), ``n_tokens`` in all rounded down to whole
        sequences; and how many sentences they come from.

    Raises:
        InputError: more tokens than one forward pass of llama.cpp can hold, or than the text has.
    """
    from edgebias.models.llama_model import loaded_model, start_token_id, token_ids
    from edgebias.models.wanda import MAX_SEQUENCES, SEQUENCE_TOKENS

    length = min(SEQUENCE_TOKENS, n_tokens)
    count = n_tokens // length
    if length < 2 or count > MAX_SEQUENCES:
        raise InputError(
            f"variant_record.calibration_tokens: {n_tokens} is outside 2 to {MAX_SEQUENCES * SEQUENCE_TOKENS}"
        )
    start_token = metadata(open_gguf(weights), START_TOKEN_KEY)
    with loaded_model(weights, vocab_only=True) as model:
        start = start_token_id(model, start_token)
        head = [] if start is None else [start]
        body = length - len(head)
        ids: list[int] = []
        used = 0
        for sentence in neutral_sentences(texts, "calibration"):
            if len(ids) >= count * body:
                break
            ids.extend(token_ids(model, sentence if not ids else " " + sentence))
            used += 1
    if len(ids) < count * body:
        raise InputError(f"variant_record.calibration_tokens: the neutral text has only {len(ids)}; ask for fewer")
    return [head + ids[index * body : (index + 1) * body] for index in range(count)], used


def measure_perplexity(weights: Path, texts: Path, n_tokens: int) -> Perplexity:
    """Perplexity of a file through the llama backend, on one thread."""
    from tqdm import tqdm

    from edgebias.backends.local.llama_engine import LlamaBackend

    reader = open_gguf(weights)
    start_token = metadata(reader, START_TOKEN_KEY)
    trained = metadata(reader, f"{metadata(reader, 'general.architecture')}.context_length")
    context = min(PERPLEXITY_CONTEXT, int(trained or PERPLEXITY_CONTEXT))
    with ExitStack() as stack:
        backend = stack.enter_context(
            LlamaBackend(weights, threads=1, context=context, start_token=start_token, memory_mb=None)
        )
        progress = stack.enter_context(tqdm(total=n_tokens, desc="perplexity", unit="token", mininterval=5, ascii=True))
        score = sentence_scorer(backend.score)

        def counted(sentences: list[str]) -> Iterable[OptionScores]:
            for scores in score(sentences):
                progress.update(scores.n_tokens[0])
                yield scores

        return mean_negative_log_likelihood(counted, neutral_sentences(texts, "perplexity"), n_tokens)


def full(
    source: Path, texts: Path, start_token: str | None, settings: RecordSettings, output: Path, record: Path
) -> None:
    """Write the full-precision build of ``source`` to ``output`` and its record to ``record``.

    Raises:
        InputError: the source is no whole GGUF model, a weight does not fit F16, or the texts are missing.
    """
    from edgebias.models.full import write_full
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
    with atomic(output) as temporary:
        write_full(source, temporary, start_token)
        entries = _measure(temporary, texts, settings, file_type="F16", requested_sparsity=None)
        write_json(details | entries, record)


def build(
    name: str, recipe: Recipe, parent: Path, texts: Path, settings: RecordSettings, output: Path, record: Path
) -> None:
    """Write one compressed build of ``parent`` to ``output`` and its record to ``record``.

    Raises:
        InputError: the parent is no whole GGUF model, cannot be pruned or quantised as asked, or the
            texts are missing.
    """
    from edgebias.models.quantise import write_quantised

    open_gguf(parent)
    neutral_sentences(texts, "perplexity")
    details: dict[str, Any] = {"variant": name, "from": recipe.parent, "pruning": None}
    requested = None if recipe.pruning is None else recipe.pruning.sparsity
    with atomic(output) as temporary:
        if recipe.pruning is None:
            write_quantised(parent, temporary, str(recipe.file_type))
        elif recipe.file_type is None:
            details["pruning"] = _prune(parent, temporary, recipe.pruning, texts, settings)
        else:
            with _scratch(temporary) as pruned:
                details["pruning"] = _prune(parent, pruned, recipe.pruning, texts, settings)
                write_quantised(pruned, temporary, recipe.file_type)
        file_type = recipe.file_type or _float_type(temporary)
        entries = _measure(temporary, texts, settings, file_type=file_type, requested_sparsity=requested)
        write_json(details | entries, record)


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    path = beside.with_name(f"{beside.name}.pruned")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _float_type(path: Path) -> str:
    """F16 or F32: the type of the matrices of an unquantised file."""
    return next(str(tensor.tensor_type.name) for tensor in open_gguf(path).tensors if len(tensor.shape) > 1)


def _prune(source: Path, target: Path, pruning: Pruning, texts: Path, settings: RecordSettings) -> dict[str, Any]:
    from edgebias.models.prune import check_prunable, magnitude_masks, write_pruned

    check_prunable(source)
    details: dict[str, Any] = asdict(pruning)
    if pruning.method == "magnitude":
        masks = magnitude_masks(source, pruning.sparsity)
        details["scope"] = "lowest |W| of each matrix"
    else:
        from edgebias.models.wanda import wanda_masks

        sequences, sentences = calibration_sequences(source, texts, settings.calibration_tokens)
        masks = wanda_masks(source, sequences, pruning.sparsity)
        details["scope"] = "lowest |W| x ||X||_2 of each output row"
        details["activations"] = (
            "one forward pass; each matrix is pruned before its product is computed, so later matrices see the"
            " inputs of the pruned model"
        )
        details["calibration"] = {
            "text": f"BOLD {texts.name}, part 'calibration', in the order of SHA-256, joined by spaces",
            "sentences": sentences,
            "sequences": len(sequences),
            "tokens_per_sequence": len(sequences[0]),
            "tokens": len(sequences) * len(sequences[0]),
        }
    write_pruned(source, target, masks)
    return details


def _measure(
    weights: Path, texts: Path, settings: RecordSettings, *, file_type: str, requested_sparsity: float | None
) -> dict[str, Any]:
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
