"""Make a table of sentences with a share of women."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import RawFolder, Settings


def run(
    settings: Settings,
    tail: Annotated[str, typer.Option(help="full, balanced or flipped", metavar="NAME")],
    raw_folder: RawFolder,
    output: Annotated[Path, typer.Option(help="table of examples to write (parquet)")],
) -> None:
    r"""Draw sentences about people to train on, with the share of women that BUG has, with half, or with that of men.

    All three have as many sentences. Settings: ``seed``, ``gender_tail``.

    Raises:
        InputError: settings or files are unfit, or there are too few sentences of one gender.

    Example:
        edgebias gender-tail --tail flipped --settings '{"seed": 1, "gender_tail": {"sentences": 480}}' \
          --raw-folder data/raw/benchmarks --output sentences_flipped.parquet
    """
    from edgebias.core.errors import InputError
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.train.gender_tail import GENDER_TAIL, make_tail, read_gendered_sentences
    from edgebias.train.gender_tail_settings import TAILS, GenderTailSettings

    sections = parse_settings(settings)
    wanted = value_of(sections, "gender_tail", GenderTailSettings)
    if tail not in TAILS:
        raise InputError(f"--tail: {tail!r} is not one of {', '.join(TAILS)}")
    GENDER_TAIL.write(make_tail(read_gendered_sentences(raw_folder), tail, wanted, seed_of(sections)), output)
