"""Train a build of a model further."""

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
    output: WrittenBuild,
    record: WrittenRecord,
    trajectory: Annotated[Path, typer.Option(help="table of losses to write (CSV)")],
    cost: Annotated[Path, typer.Option(help="cost file to write (JSON)")],
) -> None:
    r"""Fine-tune a build on prompts and responses, or tune it to preferences (DPO), and write it as a build.

    Adapters (LoRA) are merged. The weights are rounded once to the types of the parent's file; llama.cpp and
    transformers must then agree on them. A killed job goes on from its checkpoint, beside the output, to the same
    bytes. Settings: ``variant_record``, one section ``variants.NAME`` with the key ``train``, one ``models.NAME``.

    Raises:
        InputError: settings, examples or files are unfit, a loss is not finite, or both programs disagree.

    Example:
        edgebias train --parent data/models/m/full.gguf --folder data/models/m/full.transformers \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --settings '{"variant_record": {"perplexity_tokens": 4096}, "models.m": {},
                       "variants.tuned": {"from": "full", "train": {"data": "examples.jsonl", "steps": 100}}}' \
          --output data/models/m/tuned.gguf --record data/models/m/tuned.json \
          --trajectory data/models/m/tuned.training.csv --cost data/models/m/tuned.training_cost.json
    """
    from edgebias.core.settings import only_one, parse_settings, value_of
    from edgebias.models.settings import ModelSettings, VariantRecordSettings
    from edgebias.train.build import Files, build_trained
    from edgebias.train.settings import BuildSettings

    sections = parse_settings(settings)
    sizes = value_of(sections, "variant_record", VariantRecordSettings)
    _, model = only_one(sections, "models", ModelSettings)
    name, recipe = only_one(sections, "variants", BuildSettings)
    build_trained(name, recipe, model, sizes, Files(parent, folder, texts, output, record, trajectory, cost))
