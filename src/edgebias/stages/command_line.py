"""The arguments that every stage that asks a model takes."""

from __future__ import annotations

import argparse
from pathlib import Path


def model_parser(stage: str, description: str, example: str) -> argparse.ArgumentParser:
    """A parser with settings, items, weights and the two outputs of ``python -m edgebias.<stage>``."""
    parser = argparse.ArgumentParser(
        prog=f"python -m edgebias.{stage}",
        description=description,
        epilog=example,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--settings", required=True, help="inline JSON, or FILE#key")
    parser.add_argument("--items", required=True, type=Path, help="item table (parquet)")
    parser.add_argument("--weights", type=Path, help="GGUF file or transformers folder; left out for a remote endpoint")
    parser.add_argument("--responses", required=True, type=Path, help="response table to write (parquet)")
    parser.add_argument("--cost", required=True, type=Path, help="cost file to write (JSON)")
    return parser
