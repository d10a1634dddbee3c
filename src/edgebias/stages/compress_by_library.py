"""Make a build of a model with llm-compressor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings, Texts, WrittenBuild, WrittenRecord


def run(
    settings: Settings,
    parent: Annotated[Path, typer.Option(help="GGUF of the build to start from, with float weights")],
    folder: Annotated[Path, typer.Option(help="the same build as `edgebias transformers-weights` wrote it")],
    texts: Texts,
    python: Annotated[Path, typer.Option(help="of the environment that `make compression-env` makes")],
    output: WrittenBuild,
    record: WrittenRecord,
) -> None:
    r"""Quantise in groups (round to nearest, GPTQ, AWQ) or prune by SparseGPT, and write the decoded weights.

    Settings: ``variant_record``, one section ``variants.NAME``.

    Raises:
        InputError: bad settings or files, the library stops, or the build's logits are not finite.

    Example:
        edgebias compress-by-library --parent data/models/m/full.gguf --folder data/models/m/full.transformers \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --settings '{"variant_record": {"calibration_tokens": 8192, "perplexity_tokens": 4096},
                       "variants.gptq4": {"from": "full", "fake_quantise": {"method": "gptq", "bits": 4}}}' \
          --python .venv-compression/bin/python --output data/models/m/gptq4.gguf --record data/models/m/gptq4.json
    """
    from edgebias.core.settings import only_one, parse_settings, value_of
    from edgebias.models.by_library import build_by_library
    from edgebias.models.settings import VariantRecordSettings, VariantSettings

    sections = parse_settings(settings)
    sizes = value_of(sections, "variant_record", VariantRecordSettings)
    name, recipe = only_one(sections, "variants", VariantSettings)
    build_by_library(name, recipe, parent, folder, texts, sizes, python, output, record)
