"""Command line of the variants stage."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError, run_stage
from edgebias.core.settings import parse_settings, require

EXAMPLES = """examples:
  python -m edgebias.stages.variants full --source data/raw/models/m.gguf \\
    --texts data/raw/benchmarks/BOLD/wikipedia/profession_wiki.json \\
    --settings '{"variant_record": {"calibration_tokens": 8192, "perplexity_tokens": 4096},
                 "models.m": {"start_token": "<|endoftext|>"}}' \\
    --output data/models/m/full.gguf --record data/models/m/full.json
  python -m edgebias.stages.variants build --parent data/models/m/full.gguf \\
    --texts data/raw/benchmarks/BOLD/wikipedia/profession_wiki.json \\
    --settings '{"variant_record": {"calibration_tokens": 8192, "perplexity_tokens": 4096},
                 "variants.wanda50": {"from": "full", "prune": {"method": "wanda", "sparsity": 0.5}}}' \\
    --output data/models/m/wanda50.gguf --record data/models/m/wanda50.json
  python -m edgebias.stages.variants transformers --weights data/models/m/full.gguf \\
    --output-folder data/models/m/full.transformers
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the three commands.

    Raises:
        InputError: bad settings or files.
    """
    arguments = _parser().parse_args(argv)
    if arguments.command == "transformers":
        from edgebias.models.convert import convert

        convert(arguments.weights, arguments.output_folder)
        return

    from edgebias.models.build import build, full, parse_recipe, parse_record_settings

    settings = parse_settings(arguments.settings)
    require(settings, "variant_record")
    record_settings = parse_record_settings(settings["variant_record"])
    if arguments.command == "full":
        _, model = _section(settings, "models.")
        start_token = model.get("start_token")
        full(arguments.source, arguments.texts, start_token, record_settings, arguments.output, arguments.record)
        return
    name, section = _section(settings, "variants.")
    recipe = parse_recipe(name, section)
    build(name, recipe, arguments.parent, arguments.texts, record_settings, arguments.output, arguments.record)


def _section(settings: dict[str, Any], prefix: str) -> tuple[str, dict[str, Any]]:
    """The one section whose key starts with ``prefix``: its name and its content."""
    names = [key for key in settings if key.startswith(prefix)]
    if len(names) != 1 or not isinstance(settings[names[0]], dict):
        raise InputError(f"--settings: exactly one mapping {prefix}NAME is needed; it has {sorted(settings)}")
    return names[0].removeprefix(prefix), settings[names[0]]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.variants",
        description="Make one build of a model and record what is really on disk.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, flag, summary in (
        ("full", "source", "decode the published GGUF file to F16"),
        ("build", "parent", "prune and/or quantise a parent build"),
    ):
        command = commands.add_parser(name, help=summary, description=summary)
        command.add_argument("--settings", required=True, help="inline JSON or FILE#key")
        command.add_argument(f"--{flag}", required=True, type=Path, help="GGUF file to start from")
        command.add_argument("--texts", required=True, type=Path, help="BOLD wikipedia/profession_wiki.json")
        command.add_argument("--output", required=True, type=Path, help="GGUF file to write")
        command.add_argument("--record", required=True, type=Path, help="JSON record to write")
    command = commands.add_parser("transformers", help="convert a build to a Hugging Face folder")
    command.add_argument("--weights", required=True, type=Path, help="GGUF file")
    command.add_argument("--output-folder", required=True, type=Path, help="folder for the six files")
    return parser


if __name__ == "__main__":
    run_stage(main)
