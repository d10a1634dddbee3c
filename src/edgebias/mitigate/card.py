"""The model card of a control vector: what it was fitted on, its effect on held-out items, its cost, its limits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.core.files import read_json, read_table, write_text
from edgebias.mitigate.calibration import QUESTIONS
from edgebias.mitigate.overall import Score, overall_reductions, overall_scores
from edgebias.mitigate.reductions import MITIGATION_COLUMNS, overview
from edgebias.mitigate.steering.directions import LEARNED
from edgebias.mitigate.steering.loop import BOUNDS_HOLD, GUARD_HOLDS, IDEAL_REACHED, ROUNDS_OVER
from edgebias.mitigate.steering.vector_file import vector_bytes


def write_card(
    *, name: str, state: Path, before: Path, after: Path, vector: Path, gate: Path | None, card: Path
) -> None:
    """Write the card (Markdown) of the vector that the loop froze.

    Args:
        name: of the build that is steered, ``environment/model/variant``.
        state: what the loop wrote.
        before: scores of the method ``none``.
        after: scores of the method that applies the vector.
        vector: the control vector itself (GGUF).
        gate: behind which the vector is used; None of one for every request.
        card: file to write.

    Raises:
        InputError: a file is absent or unreadable.
    """
    text = card_text(
        name,
        read_json(state),
        read_table(before, MITIGATION_COLUMNS),
        read_table(after, MITIGATION_COLUMNS),
        vector_bytes(vector),
        None if gate is None else read_json(gate),
    )
    write_text(text, card)


END = {
    IDEAL_REACHED: "converged",
    GUARD_HOLDS: "did not converge, as the guard found a larger gain beyond its budget",
    BOUNDS_HOLD: "did not converge, as all gains are at their bound",
    ROUNDS_OVER: "did not converge in the rounds that it had",
}
"""How the loop ended, in words."""


def card_text(
    name: str,
    state: Mapping[str, Any],
    before: pd.DataFrame,
    after: pd.DataFrame,
    vector_size: int,
    gate: Mapping[str, Any] | None = None,
) -> str:
    """Write the card as Markdown, without anything that another run would measure otherwise.

    Args:
        name: of the build that is steered, ``environment/model/variant``.
        state: what the loop wrote.
        before: scores of the method ``none``.
        after: scores of the method that applies the vector.
        vector_size: bytes of the vector in memory.
        gate: behind which the vector is used; None of one for every request.
    """
    _, model, variant = name.split("/")
    calibration = state["calibration_after"]
    learned = state["directions"] == LEARNED
    lines = [
        f"# Control vector of {model}, {variant}",
        "",
        f"A vector for the output of every block but the first{' quarter' if learned else ''}, found by the feedback "
        "loop of edgebias. It belongs to this build: on other weights it is noise.",
        "",
        "## Use",
        "",
        "```",
        _command(variant, gate),
        "```",
        "",
        "## Fitted on",
        "",
        f"- {', '.join(state['suites'])}; the loop on {state['calibration_items']} calibration items. "
        "No held-out cluster is among them",
        f"- directions: {state['directions'].replace('_', ' ')}; "
        f"{state['rounds']} rounds of the loop, window of {state['window']} outputs",
        f"- {END[state['stopped']]}: stereotype rate of the calibration items "
        f"{state['calibration_before']['bias']:.1f} before, {calibration['bias']:.1f} "
        f"[{calibration['low']:.1f}, {calibration['high']:.1f}] after; ideal 50",
        "",
        "## Held-out items",
        "",
        "Estimate [95 % interval], without and with the vector.",
        "",
        "| suite | metric (format) | ideal | without | with |",
        "|---|---|---|---|---|",
        *_score_rows(before, after),
        "",
        "| suite | distance from the ideal removed, points | in per cent | is there bias to remove? |",
        "|---|---|---|---|",
        *_reduction_rows(after),
        "",
        "## Cost",
        "",
        f"- {vector_size:,} bytes beside the weights".replace(",", " "),
        "- one addition per block and token; what that took here is in `cost.json` beside this card",
        "",
        "## Limits",
        "",
        "- It moves the mean preference of the suites that it was fitted on. Groups with opposite preferences are not "
        "both corrected, and other suites may not move: see the table.",
        *([_ABSTAINS] if QUESTIONS in state["suites"] else []),
        _reach(gate),
        "- English, one model of this size. A score near its ideal is no proof of fairness.",
        "",
    ]
    return "\n".join(lines)


_ABSTAINS = (
    '- It has learned from BBQ when to say "unknown", and BBQ\'s ambiguous contexts are shorter: a rule on the number '
    "of words sorts these questions as well. Where sentences about others make "
    "them longer it says so less often. Who the answer is it has not learned."
)


def _command(variant: str, gate: Mapping[str, Any] | None) -> str:
    vector = "--control-vector control_vector.gguf"
    if gate is None:
        return f"llama-server --model {variant}.gguf {vector}"
    return f"edgebias serve --weights {variant}.gguf {vector} --gate ../gate.json"


def _reach(gate: Mapping[str, Any] | None) -> str:
    if gate is None:
        return "- It acts on every token of every request; there is no gate."
    opens = 100.0 * float(gate["opens_for_calibration_items"]), 100.0 * float(gate["opens_for_neutral_text"])
    return (
        f"- It acts on every token of a request for which the gate opens: {opens[0]:.0f} % of the calibration items "
        f"and {opens[1]:.0f} % of other texts, none of which the gate had seen. Without it, as in a stock "
        "llama-server, the vector acts on every request, and costs more than this card says."
    )


def _score_rows(before: pd.DataFrame, after: pd.DataFrame) -> list[str]:
    first, second = overall_scores(before), overall_scores(after)
    return [
        _line(
            key[0],
            f"{key[2]} ({key[1]})",
            _plain(second[key].ideal),
            _estimate(first[key]) if key in first else "–",  # a rise is one over no mitigation
            _estimate(second[key]),
        )
        for key in overview()
        if key in second
    ]


def _reduction_rows(after: pd.DataFrame) -> list[str]:
    return [
        _line(f"{found.suite} ({found.format})", _estimate(found.points), _estimate(found.percent), found.headroom)
        for found in overall_reductions(after)
    ]


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _estimate(score: Score) -> str:
    if not math.isfinite(score.estimate):
        return "undefined"
    return f"{score.estimate:.1f} [{score.low:.1f}, {score.high:.1f}]"


def _plain(value: float) -> str:
    return f"{value:g}" if math.isfinite(value) else "–"
