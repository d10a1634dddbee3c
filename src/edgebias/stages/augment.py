"""Let a model write texts about people at work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import AnyWeights, RawFolder, Settings, WrittenCost


def run(
    settings: Settings,
    kind: Annotated[str, typer.Option(help="type of bias of the prompts, or neutral", metavar="NAME")],
    raw_folder: RawFolder,
    output: Annotated[Path, typer.Option(help="table of augmented texts to write (parquet)")],
    cost: WrittenCost,
    weights: AnyWeights = None,
) -> None:
    r"""Let the model under test write texts about people in six jobs, and judge which are fit to train on.

    What the model writes is text and nothing else: nothing of it is run. A killed job goes on from its journal.
    Settings: ``seed``, ``augmentation``, ``infer``, ``models.NAME``, ``environments.NAME``.

    Raises:
        InputError: settings, weights or files are unfit.

    Example:
        edgebias augment --kind contextual_explicit --raw-folder data/raw/benchmarks \
          --settings params.yaml --weights data/models/m/full.gguf --output texts.parquet --cost texts.json
    """
    from edgebias.core.errors import InputError
    from edgebias.core.files import write_json
    from edgebias.core.settings import parse_settings, value_of
    from edgebias.infer.cell import read_cell
    from edgebias.infer.job import open_job
    from edgebias.suites.occupation_sentences import NAMES, SENTENCES, normalised, read_occupation_sentences
    from edgebias.train.augment import AUGMENTED_TEXT, write_texts
    from edgebias.train.augmentation_prompts import KINDS, text_prompts
    from edgebias.train.gendered_words import read_names
    from edgebias.train.mixture_settings import AugmentationSettings

    sections = parse_settings(settings)
    how = value_of(sections, "augmentation", AugmentationSettings)
    cell = read_cell(sections)
    if kind not in KINDS:
        raise InputError(f"--kind: {kind!r} is not one of {', '.join(KINDS)}")
    originals = frozenset(normalised(sentence.text) for sentence in read_occupation_sentences(raw_folder))
    prompts = text_prompts(kind, how.texts_per_job, read_names(raw_folder), cell.answer.seed)
    files = [raw_folder / NAMES.path, raw_folder / SENTENCES.path]
    with open_job(__name__, sections, cell, files, weights, [output, cost], more=[kind]) as job:
        with job.model() as backend:
            table = write_texts(backend, kind, prompts, how, originals)
            spent = job.cost(backend, {})
        AUGMENTED_TEXT.write(table, output)
        write_json(spent, cost)
