"""The roofline: a token takes as long as its bytes or its operations take, whichever is longer.

S. Williams, A. Waterman, D. Patterson: Roofline: an insightful visual performance model for multicore architectures.
Communications of the ACM 52(4), 2009. Left out, because a bound stays a bound without them: attention's own operations,
activations, work that overlaps nothing, heat.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from edgebias.models.roofline.build import Build
from edgebias.models.roofline.hardware import Board

CONTEXT = 512
"""Tokens whose keys and values are read for every token that is written: more than any prompt of the suites holds."""
PROMPT = 128
"""Tokens of the prompt of the projection, about that of a BBQ item with lettered options; `UBATCH` of the llama
backend, so that weights are read once for it."""
GIGA = 1e9


def attainable(intensity: float, bandwidth: float, arithmetic: float) -> float:
    """Return GFLOP/s that ``intensity`` operations a byte can reach, from GB/s and GFLOP/s."""
    return min(arithmetic, intensity * bandwidth)


def generation_intensity(build: Build, context: int = CONTEXT) -> float:
    """Return the operations for each byte read while one prompt is continued."""
    return 2.0 * build.parameters / (build.weight_bytes + context * build.kv_bytes_per_token)


def prompt_intensity(build: Build, tokens: int = PROMPT) -> float:
    """Return the operations for each byte read while ``tokens`` tokens of a prompt are evaluated together."""
    return 2.0 * build.block_parameters * tokens / build.weight_bytes


def generation_rate(build: Build, bandwidth: float, arithmetic: float, context: int = CONTEXT) -> float:
    """Return tokens written a second, at most; ``bandwidth`` in GB/s, ``arithmetic`` in GFLOP/s."""
    return attainable(generation_intensity(build, context), bandwidth, arithmetic) * GIGA / (2.0 * build.parameters)


def prompt_rate(build: Build, bandwidth: float, arithmetic: float, tokens: int = PROMPT) -> float:
    """Return the tokens of a prompt read a second, at most, where ``tokens`` of them are evaluated together."""
    reached = attainable(prompt_intensity(build, tokens), bandwidth, arithmetic)
    return reached * GIGA / (2.0 * build.block_parameters)


COLUMNS = (
    *("board", "model", "variant", "weights", "parameters", "bits_per_weight", "weight_bytes", "kv_bytes_per_token"),
    *("bandwidth_low", "bandwidth_high", "arithmetic_low", "arithmetic_high"),
    *("generation_intensity", "prompt_intensity", "generation_low", "generation_high", "bound_by"),
    *("prompt_low", "prompt_high", "first_token_low", "first_token_high"),
)


def projection(builds: Sequence[Build], boards: Iterable[Board]) -> pd.DataFrame:
    """Return one row a board and build.

    The lower end takes the lower figure of every roof, the upper end the higher one.
    """
    return pd.DataFrame([_row(build, board) for board in boards for build in builds], columns=COLUMNS)


def _row(build: Build, board: Board) -> dict[str, object]:
    roofs = board.arithmetic[build.weights]
    low, high = (board.bandwidth.low, roofs.low), (board.bandwidth.high, roofs.high)
    prompt_low, prompt_high = prompt_rate(build, *low), prompt_rate(build, *high)
    intensity = generation_intensity(build)
    return {
        "board": board.name,
        "model": build.model,
        "variant": build.variant,
        "weights": build.weights,
        "parameters": build.parameters,
        "bits_per_weight": build.bits_per_weight,
        "weight_bytes": build.weight_bytes,
        "kv_bytes_per_token": build.kv_bytes_per_token,
        "bandwidth_low": board.bandwidth.low,
        "bandwidth_high": board.bandwidth.high,
        "arithmetic_low": roofs.low,
        "arithmetic_high": roofs.high,
        "generation_intensity": intensity,
        "prompt_intensity": prompt_intensity(build),
        "generation_low": generation_rate(build, *low),
        "generation_high": generation_rate(build, *high),
        "bound_by": _bound(intensity, low, high),
        "prompt_low": prompt_low,
        "prompt_high": prompt_high,
        "first_token_low": PROMPT / prompt_high,
        "first_token_high": PROMPT / prompt_low,
    }


def _bound(intensity: float, *roofs: tuple[float, float]) -> str:
    """Return what limits generation at either end of the range."""
    found = {"memory" if intensity * bandwidth <= arithmetic else "arithmetic" for bandwidth, arithmetic in roofs}
    return " or ".join(sorted(found, reverse=True))
