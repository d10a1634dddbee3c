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
        InputError: bad settings or files.

    Example:
        edgebias compress --parent data/models/m/full.gguf \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --settings '{"variant_record": {"calibration_tokens": 8192, "perplexity_tokens": 4096},
                       "variants.wanda50": {"from": "full", "prune": {"method": "wanda", "sparsity": 0.5}}}' \
          --output data/models/m/wanda50.gguf --record data/models/m/wanda50.json
    """
    from edgebias.core.settings import one_section, parse_settings, require
    from edgebias.models.build import build, parse_recipe, parse_record_settings

    sections = parse_settings(settings)
    require(sections, "variant_record")
    record_settings = parse_record_settings(sections["variant_record"])
    name, section = one_section(sections, "variants.")
    build(name, parse_recipe(name, section), parent, texts, record_settings, output, record)
