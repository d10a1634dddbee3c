"""Make a mixture of original and augmented examples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import RawFolder, Settings


def run(
    settings: Settings,
    raw_folder: RawFolder,
    output: Annotated[Path, typer.Option(help="table of examples to write (parquet)")],
    texts: Annotated[
        Path | None, typer.Option(help="what `edgebias augment` wrote of the mixture's type of bias; none at ratio 0")
    ] = None,
) -> None:
    r"""Replace a share of original sentences about people at work by texts that the model wrote itself.

    Each example asks which of six jobs is masked. Settings: ``seed``, one section ``mixtures.NAME``.

    Raises:
        InputError: settings or files are unfit, or there are too few sentences or texts of a job.

    Example:
        edgebias mixture --raw-folder data/raw/benchmarks --texts texts.parquet --output mixture_half.parquet \
          --settings '{"seed": 1, "mixtures.half": {"ratio": 0.5, "bias": "contextual_explicit"}}'
    """
    from edgebias.core.errors import InputError
    from edgebias.core.settings import only_one, parse_settings, seed_of
    from edgebias.suites.occupation_sentences import read_occupation_sentences
    from edgebias.train.augment import read_texts
    from edgebias.train.gendered_words import read_gendered_words, read_names
    from edgebias.train.mixture import MIXTURE, Neutral, make_mixture
    from edgebias.train.mixture_settings import MixtureSettings

    sections = parse_settings(settings)
    name, how = only_one(sections, "mixtures", MixtureSettings)
    if (texts is None) != (how.ratio == 0):
        raise InputError(f"--texts: mixtures.{name} has ratio {how.ratio}; give the texts of its bias, and none at 0")
    table = None
    if texts is not None:
        table = read_texts(texts)
        kind = table["kind"].iloc[0]
        if kind != how.bias:
            raise InputError(f"{texts}: has texts of kind {kind}, and mixtures.{name} wants {how.bias}")
    sentences = read_occupation_sentences(raw_folder)
    lists = Neutral(read_gendered_words(raw_folder), read_names(raw_folder).every)
    MIXTURE.write(make_mixture(name, how, sentences, table, lists, seed_of(sections)), output)
