"""Make the uncompressed build of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings, Texts, WrittenBuild, WrittenRecord


def run(
    settings: Settings,
    source: Annotated[Path, typer.Option(help="published GGUF file")],
    texts: Texts,
    output: WrittenBuild,
    record: WrittenRecord,
) -> None:
    r"""Decode the published weights to 16 bits: the reference of every contrast.

    Matrices become F16, or what ``full_type`` of the model says, and vectors F32. Metadata stays as it is, but for
    the file type and an added ``edgebias.start_token``. Settings: ``variant_record``, one section ``models.NAME``.

    Raises:
        InputError: bad settings or files, or the build's logits are not finite.

    Example:
        edgebias full-precision --source data/raw/models/m.gguf \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --settings '{"variant_record": {"calibration_tokens": 8192, "perplexity_tokens": 4096},
                       "models.m": {"start_token": "<|endoftext|>"}}' \
          --output data/models/m/full.gguf --record data/models/m/full.json
    """
    from edgebias.core.settings import only_one, parse_settings, value_of
    from edgebias.models.build import full
    from edgebias.models.settings import ModelSettings, VariantRecordSettings

    sections = parse_settings(settings)
    sizes = value_of(sections, "variant_record", VariantRecordSettings)
    _, model = only_one(sections, "models", ModelSettings)
    full(source, texts, model, sizes, output, record)
