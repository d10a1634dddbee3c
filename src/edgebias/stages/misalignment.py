"""Measure how what a model writes differs from real sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import RawFolder, Settings


def run(
    settings: Settings,
    texts: Annotated[list[Path], typer.Option(help="what `edgebias augment` wrote; repeat it, one for each kind")],
    folder: Annotated[
        Path, typer.Option(help="the build that wrote them, as `edgebias transformers-weights` wrote it")
    ],
    raw_folder: RawFolder,
    groups: Annotated[Path, typer.Option(help="table of the share of women to write (CSV)")],
    shift: Annotated[Path, typer.Option(help="table of hidden states to write (CSV)")],
) -> None:
    r"""Measure whom a model writes about and how far its texts lie from real sentences in its last hidden states.

    Two of the three misalignments of arXiv:2502.04419. Settings: ``seed``, ``compare``, one ``models.NAME``.

    Raises:
        InputError: settings or files are unfit.

    Example:
        edgebias misalignment --settings '{"seed": 1, "compare": {"resamples": 2000}, "models.m": {}}' \
          --texts neutral.parquet --folder data/models/m/full.transformers --raw-folder data/raw/benchmarks \
          --groups group_data.csv --shift embedding_shift.csv
    """
    from edgebias.core.settings import only_one, parse_settings, seed_of, value_of
    from edgebias.models.settings import ModelSettings
    from edgebias.score.settings import CompareSettings
    from edgebias.suites.occupation_sentences import read_occupation_sentences
    from edgebias.train.augment import read_texts
    from edgebias.train.build import load_model
    from edgebias.train.misalignment import EMBEDDING_SHIFT, GROUP_DATA, embedding_shift, group_data
    from edgebias.train.optimise import deterministic
    from edgebias.train.tokens import Tokeniser

    sections = parse_settings(settings)
    how = value_of(sections, "compare", CompareSettings)
    _, model = only_one(sections, "models", ModelSettings)
    seed = seed_of(sections)
    written = {str(table["kind"].iloc[0]): table for table in map(read_texts, texts)}
    sentences = read_occupation_sentences(raw_folder)
    tokeniser = Tokeniser(folder, model.chat_template_kwargs or {})
    with deterministic(1):
        shifts = embedding_shift(load_model(folder), tokeniser, written, sentences, resamples=how.resamples, seed=seed)
    GROUP_DATA.write(group_data(written, sentences, how.confidence), groups)
    EMBEDDING_SHIFT.write(shifts, shift)
