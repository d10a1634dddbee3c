"""Check how well replies are read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import RawFolder


def run(
    labels: Annotated[Path, typer.Option(help="labelled replies (JSON lines)")] = Path(
        "tests/unit/checks/labelled_replies.jsonl"
    ),
    opinions: Annotated[Path, typer.Option(help="labelled replies to statements (JSON lines)")] = Path(
        "tests/unit/checks/labelled_opinions.jsonl"
    ),
    raw_folder: RawFolder = Path("data/raw/benchmarks"),
    forced_choice_folder: Annotated[Path, typer.Option(help="templates of our own suite (YAML)")] = Path(
        "data/forced_choice"
    ),
) -> None:
    r"""Print how well the parser reads replies, against labels made by reading.

    The files of labels hold replies and ids of items. The options and the statements are looked up in the benchmark
    files, so that the labelled sets carry no text of a benchmark but what a model repeated of it.

    Raises:
        InputError: the labelled set or a benchmark file is absent or unfit.

    Example:
        edgebias agreement --labels tests/unit/checks/labelled_replies.jsonl
    """
    from edgebias.checks.agreement import items_of, read_labels, tables
    from edgebias.checks.opinions import opinion_tables, questions_of, read_opinions

    replies, told = read_labels(labels), read_opinions(opinions)
    print(tables(replies, items_of(replies, raw_folder, forced_choice_folder)))
    print()
    print(opinion_tables(told, questions_of(told, raw_folder)))
