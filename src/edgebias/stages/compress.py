"""Make a compressed build of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Settings, Texts, WrittenBuild, WrittenRecord


def run(
    settings: Settings,
    parent: Annotated[Path, typer.Option(help="GGUF of the build to start from")],
    texts: Texts,
    output: WrittenBuild,
    record: WrittenRecord,
) -> None:
    r"""Prune or quantise a parent build, or both (pruned first).

    Settings: ``variant_record``, one section ``variants.NAME``.

    Raises:
        InputError: bad settings or files, or the build's logits are not finite.

    Example:
        edgebias compress --parent data/models/m/full.gguf \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --settings '{"variant_record": {"calibration_tokens": 8192, "perplexity_tokens": 4096},
                       "variants.wanda50": {"from": "full", "prune": {"method": "wanda", "sparsity": 0.5}}}' \
          --output data/models/m/wanda50.gguf --record data/models/m/wanda50.json
    """
    from edgebias.core.settings import only_one, parse_settings, value_of
    from edgebias.models.build import build
    from edgebias.models.settings import VariantRecordSettings, VariantSettings

    sections = parse_settings(settings)
    sizes = value_of(sections, "variant_record", VariantRecordSettings)
    name, recipe = only_one(sections, "variants", VariantSettings)
    build(name, recipe, parent, texts, sizes, output, record)
