"""One trained build: settings and examples to file, record, trajectory and cost."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read once, when the OpenMP library loads; see torch_engine.py

import pandas as pd
import torch

from edgebias.backends.base import OptionRequest
from edgebias.backends.local.memory_limit import peak_memory_mb
from edgebias.backends.store.identity import job_identity
from edgebias.backends.store.journal import Journal
from edgebias.checks.parity import ExactModel
from edgebias.core.errors import InputError, one_line
from edgebias.core.files import atomic, write_json
from edgebias.core.progress import Progress
from edgebias.core.record import mapping_of
from edgebias.core.seeds import generator
from edgebias.models.build import PERPLEXITY_CONTEXT, blamed_on, float_type, measure, refusing
from edgebias.models.by_library import check_folder, write_decoded
from edgebias.models.llama_model import check_runs, one_line_on_abort
from edgebias.models.perplexity import neutral_sentences
from edgebias.models.settings import ModelSettings, VariantRecordSettings
from edgebias.train import checkpoint
from edgebias.train.adapter import check_installed, merged, moving, trainable
from edgebias.train.checkpoint import State
from edgebias.train.examples import AUGMENTED, HELD_OUT, TRAIN, read_examples
from edgebias.train.export import STORED, check_float, check_parity, round_weights, write_folder
from edgebias.train.losses import log_probabilities
from edgebias.train.optimise import Examples, batch_of, beta_of, deterministic, held_out_loss, optimise, put
from edgebias.train.settings import BuildSettings, TrainSettings
from edgebias.train.tokens import Example, Tokeniser, requests_of
from edgebias.train.trajectory import TRAINING, best_row

STAGE = "edgebias.stages.train"

LIBRARIES = ("numpy", "peft", "safetensors", "tokenizers", "torch", "transformers")
"""What decides the trained weights besides this package."""

COMPARED = 4
"""Held-out examples whose answers llama.cpp and transformers score with the trained weights."""

WAY_OUT = (
    "training took its activations out of the range of 16-bit floats; lower train.learning_rate, or set "
    "models.NAME.full_type: BF16"
)
"""Where the logits of the file are not finite."""

CHECKPOINTS = "checkpoints"
"""Key of the journal, which keeps the seconds from one checkpoint to the next."""


@dataclass(frozen=True)
class Files:
    """What a job reads and writes.

    Attributes:
        parent: GGUF of the build to start from, with float weights.
        folder: the same as a Hugging Face folder.
        texts: the neutral text of the perplexity.
        output: GGUF to write: the parent with trained weights, in the parent's own types.
        record: to write (JSON).
        trajectory: to write (CSV).
        cost: to write (JSON).
    """

    parent: Path
    folder: Path
    texts: Path
    output: Path
    record: Path
    trajectory: Path
    cost: Path

    @property
    def checkpoint(self) -> Path:
        """What a killed job goes on from."""
        return self.output.with_name(f"{self.output.name}.checkpoint")

    @property
    def journal(self) -> Path:
        """Keeps a second process away, and tells what earlier ones took."""
        return self.output.with_name(f"{self.output.name}.journal")


@dataclass(frozen=True)
class Data:
    """The examples of a job as tokens, the requests of the held-out ones, and what the record says of them."""

    examples: Examples
    held_out: Sequence[OptionRequest]
    entry: Mapping[str, Any]


def build_trained(
    name: str, recipe: BuildSettings, model: ModelSettings, sizes: VariantRecordSettings, files: Files
) -> None:
    """Train a build further and write it, with its record, trajectory and cost.

    A killed job goes on from its checkpoint, to the same bytes.

    Args:
        name: of the build.
        recipe: how it is made.
        model: for the variables of its chat template.
        sizes: of the neutral text.
        files: what is read and written.

    Raises:
        InputError: a file is absent or unfit, adapters cannot be trained here, a loss is not finite, or llama.cpp and
            transformers disagree on the trained weights.
    """
    how = recipe.train
    if how is None:
        raise InputError(f"variants.{name}: nothing of it is trained; call `edgebias compress`, or give the key train")
    check_installed(how)
    parent, variables = files.parent, model.chat_template_kwargs or {}
    file = Path(how.data)
    table = read_examples(file, how.objective, origins=how.align > 0)
    neutral_sentences(files.texts, "perplexity")
    check_float(parent)
    check_runs(parent)
    names = check_folder(files.folder, parent)
    tokeniser = Tokeniser(files.folder, variables)
    data = read_data(table, file, how, tokeniser)
    settings = {"train": mapping_of(how), "chat_template_kwargs": variables}
    owner = job_identity(STAGE, settings, libraries=LIBRARIES, files=[file], weights=files.folder, more=[name])
    with (
        Journal(files.journal, owner) as journal,
        deterministic(how.threads),
        tempfile.TemporaryDirectory(prefix="edgebias-training-") as scratch,
    ):
        trained, examples, state, cost = _train(how, files, data, owner, journal)
        round_weights(trained, parent, names)
        exported, _ = held_out_loss(trained, examples.held_out, beta_of(how))
        made = Path(scratch, "trained")
        write_folder(trained, files.folder, made, names)
        del trained
        _give_memory_back()
        with atomic(files.output) as temporary, one_line_on_abort(parent, temporary), blamed_on(parent, temporary):
            write_decoded(parent, temporary, made / STORED, names)
            pair = ExactModel(
                weights=temporary,
                folder=made,
                threads=how.threads,
                context=max(PERPLEXITY_CONTEXT, *(example.longest for example in data.examples.held_out[:COMPARED])),
                template_variables=variables,
                scratch=Path(scratch, "exact.gguf"),
            )
            parity = check_parity(data.held_out[:COMPARED], pair)
            kind = float_type(temporary)
            with refusing(files.output, WAY_OUT):
                entries = measure(temporary, files.texts, sizes, file_type=kind, requested_sparsity=None)
            training = {
                **mapping_of(how),
                "examples": data.entry,
                **_outcome(how, state, exported),
                "parity": {key: value for key, value in asdict(parity).items() if key not in {"suite", "format"}},
                "libraries": {library: version(library) for library in used(how)},
            }
            header = {"variant": name, "from": recipe.parent or "full", "pruning": None, "training": training}
            write_json(header | entries, files.record)
            TRAINING.write(pd.DataFrame(state.rows), files.trajectory)
            write_json(cost | {"peak_memory_mb": peak_memory_mb()}, files.cost)
        journal.remove(files.output, files.record, files.trajectory, files.cost)
        files.checkpoint.unlink(missing_ok=True)


def _give_memory_back() -> None:
    """Hand what training has freed back to the system: 1.6 GB of SmolLM2-135M, which the check of parity needs.

    The modules of a model refer to one another, and the C library keeps the holes between what is left.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc alone has it
    if trim is not None:
        trim(0)


def used(how: TrainSettings) -> list[str]:
    """Return the libraries that decide the trained weights."""
    return [library for library in LIBRARIES if library != "peft" or how.method == "lora"]


def read_data(table: pd.DataFrame, path: Path, how: TrainSettings, tokeniser: Tokeniser) -> Data:
    """Return the examples of ``table``, read from ``path``, that are short enough.

    Raises:
        InputError: none of a split is, or one cannot be tokenised.
    """
    try:
        requests = requests_of(table, how.objective, how.wording)
        examples = [tokeniser.example(row, request) for row, request in enumerate(requests)]
        if how.align > 0:
            kinds = table["origin"] == AUGMENTED
            examples = [replace(one, augmented=bool(kind)) for one, kind in zip(examples, kinds, strict=True)]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    fits = [example.longest <= how.longest for example in examples]
    short = [place for place, fit in enumerate(fits) if fit]
    left_out = len(fits) - len(short)
    places = {split: [place for place in short if table["split"][place] == split] for split in (TRAIN, HELD_OUT)}
    for split, found in places.items():
        if not found:
            raise InputError(
                f"{path}: no example of split {split!r} has {how.longest} tokens or less; raise train.longest"
            )
    if left_out:
        what = f"{left_out} of {len(fits)} examples are longer than {how.longest} tokens and left out"
        print(f"{path}: {what}", file=sys.stderr)
    order = generator(0, HELD_OUT).permutation(len(places[HELD_OUT]))
    scored = [places[HELD_OUT][i] for i in order[: how.held_out]]
    entry = {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "left_out": left_out,
        "held_out_scored": len(scored),
        **{
            split: {
                "examples": len(found),
                "clusters": int(table["cluster"].iloc[found].nunique()),
                "answer_tokens": sum(examples[i].n_answer for i in found),
            }
            for split, found in places.items()
        },
    }
    chosen = Examples([examples[i] for i in places[TRAIN]], [examples[i] for i in scored])
    return Data(chosen, [requests[i] for i in scored], entry)


def _train(
    how: TrainSettings, files: Files, data: Data, owner: str, journal: Journal
) -> tuple[Any, Examples, State, dict[str, Any]]:
    """Return the trained model with its adapters merged, its examples, how training ended, and what it cost.

    Of how it ended without the weights and moments, which the model does not need any more.
    """
    model = load_model(files.folder)
    examples = data.examples if beta_of(how) is None else _with_reference(model, data.examples, how)
    model = trainable(model, how)
    resumed = checkpoint.load(files.checkpoint, owner)
    started, last = journal.clock(), time.perf_counter()
    if resumed is not None:
        deque(journal.recall(CHECKPOINTS), maxlen=0)

    def keep(state: State) -> None:
        nonlocal last
        checkpoint.save(state, files.checkpoint, owner)
        journal.keep(CHECKPOINTS, time.perf_counter() - last, state.step)
        last = time.perf_counter()

    state = optimise(model, examples, how, resumed=resumed, keep=keep, clock=journal.clock)
    seconds = journal.clock() - started
    if state.best is not None:
        put(model, state.best)
    cost = {
        "steps": state.step,
        "answer_tokens": state.tokens,
        "seconds": seconds,
        "seconds_per_step": seconds / max(1, state.step),
        "threads": how.threads,
        "trained_weights": sum(parameter.numel() for parameter in moving(model).values()),
        "interruptions": journal.interruptions,
    }
    return merged(model), examples, replace(state, weights={}, optimiser={}, best=None), cost


def load_model(folder: Path) -> Any:
    """Load a folder of transformers in 32 bits.

    Raises:
        InputError: it cannot be loaded.
    """
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    except Exception as error:  # transformers and safetensors raise types of their own
        reason = one_line(error, 200)
        raise InputError(f"{folder}: transformers cannot load it ({reason}); make the folder again") from error


def _with_reference(model: Any, examples: Examples, how: TrainSettings) -> Examples:
    """Give the examples that will be used the log-probabilities of the untrained build.

    One evaluation of the frozen model stands for all that the loss would ask of it.
    """
    steps, count = how.steps_of(len(examples.train)), len(examples.train)
    used = {place for step in range(steps) for place in batch_of(step, count, how.batch, how.seed)}
    model.eval()
    with Progress("untrained build", len(used) + len(examples.held_out), "examples") as progress, torch.no_grad():

        def told(example: Example) -> Example:
            found = log_probabilities(model, example.sequences)
            progress.advance()
            return replace(example, reference=tuple(float(value) for value in found))

        train = [told(example) if place in used else example for place, example in enumerate(examples.train)]
        return Examples(train, [told(example) for example in examples.held_out])


def _outcome(how: TrainSettings, state: State, exported: float) -> dict[str, Any]:
    """Return what a record says of the result; losses are held-out ones."""
    taken = best_row(state.rows) if how.patience is not None else len(state.rows) - 1
    row = state.rows[taken]
    before = state.rows[0]["held_out_loss"]
    return {
        "steps_made": state.step,
        "step_taken": row["step"],
        "held_out_loss": {"before": before, "after": row["held_out_loss"], "exported": exported},
        "held_out_accuracy": row["held_out_accuracy"],
    }
