"""Write the model card of a control vector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import Gate


def run(
    name: Annotated[str, typer.Option(help="environment/model/variant of the steered build", metavar="NAME")],
    state: Annotated[Path, typer.Option(help="what `edgebias fit-feedback-loop` wrote (JSON)")],
    before: Annotated[Path, typer.Option(help="scores of the method none (CSV)")],
    after: Annotated[Path, typer.Option(help="scores of the method that applies the vector (CSV)")],
    control_vector: Annotated[Path, typer.Option(help="the vector (GGUF)")],
    card: Annotated[Path, typer.Option(help="model card to write (Markdown)")],
    gate: Gate = None,
) -> None:
    r"""Write the model card of a control vector: what it was fitted on, what it does, its limits.

    Raises:
        InputError: a file is absent or unreadable.

    Example:
        edgebias control-vector-card --name edge/m/wanda50_q8_0 --state state.json --before none/scores.csv \
          --after feedback_loop/scores.csv --control-vector control_vector.gguf --card card.md
    """
    from edgebias.mitigate.card import write_card

    write_card(name=name, state=state, before=before, after=after, vector=control_vector, gate=gate, card=card)
