"""Perplexity of compressed builds on neutral sentences that nothing was calibrated with, in pairs of equal size.

    python benchmarks/compression_perplexity.py                      the builds of config/compression.yaml
    make compression-perplexity                                      makes them first, and writes docs/results/
    python benchmarks/compression_perplexity.py --models data/models/qwen2-5-coder-0-5b --pair gptq4_s0 rtn4

Each pair has a method that corrects errors first and a plainer one of the same bits or sparsity second. Both score the
same sentences; the interval of the ratio is a paired bootstrap over sentences. Builds that are not there are left out.
A build that was scored is remembered by its SHA-256.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np

from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.core.files import write_json
from edgebias.models.build import PERPLEXITY_CONTEXT
from edgebias.models.gguf import START_TOKEN_KEY, open_gguf, text
from edgebias.models.neutral_text import PATH
from edgebias.models.perplexity import neutral_sentences, sentence_scorer
from edgebias.stats.clusters import Clusters
from edgebias.stats.contrasts import paired_difference

PAIRS = (
    ("gptq8", "rtn8"),
    ("gptq4_s0", "rtn4"),
    ("gptq4_s1", "rtn4"),
    ("gptq4_s2", "rtn4"),
    ("gptq3_s0", "rtn3"),
    ("gptq3_s1", "rtn3"),
    ("gptq3_s2", "rtn3"),
    ("awq4", "rtn4"),
    ("awq3_s0", "rtn3"),
    ("awq3_s1", "rtn3"),
    ("awq3_s2", "rtn3"),
    ("sparsegpt50", "magnitude50"),
    ("sparsegpt50", "wanda50"),
    ("wanda50", "magnitude50"),
    ("sparsegpt2_4_s0", "magnitude2_4"),
    ("sparsegpt2_4_s1", "magnitude2_4"),
    ("sparsegpt2_4_s2", "magnitude2_4"),
    ("sparsegpt2_4_s0", "wanda2_4"),
    ("wanda2_4", "magnitude2_4"),
)
REMEMBERED = Path("benchmarks/results/compression_perplexity.json")
CONFIDENCE = 0.95


def sums(weights: Path, sentences: list[str]) -> list[list[float]]:
    """Negative log-likelihood in nats and number of tokens of each sentence."""
    remembered = json.loads(REMEMBERED.read_text(encoding="utf-8")) if REMEMBERED.is_file() else {}
    key = f"{json.loads(weights.with_suffix('.json').read_text(encoding='utf-8'))['sha256']} {len(sentences)}"
    if key not in remembered:
        start = text(open_gguf(weights), START_TOKEN_KEY)
        with LlamaBackend(weights, threads=1, context=PERPLEXITY_CONTEXT, start_token=start, memory_mb=None) as backend:
            scored = sentence_scorer(backend.score)(sentences)
            remembered[key] = [[-scores.logprobs[0], float(scores.n_tokens[0])] for scores in scored]
        write_json(remembered, REMEMBERED)
    found: list[list[float]] = remembered[key]
    return found


def mean(totals: np.ndarray) -> np.ndarray:
    """Mean negative log-likelihood of a token."""
    return totals[..., 0] / totals[..., 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("data/models/smollm2-135m-instruct"))
    parser.add_argument("--pair", nargs=2, action="append", metavar=("BETTER", "PLAINER"))
    parser.add_argument("--files", action="store_true", help="print the builds that the pairs need, and stop")
    parser.add_argument("--sentences", type=int, default=150)
    parser.add_argument("--resamples", type=int, default=10_000)
    arguments = parser.parse_args()
    pairs = arguments.pair or PAIRS
    if arguments.files:
        print(*sorted({f"{arguments.models}/{name}.gguf" for pair in pairs for name in pair}))
        return
    sentences = neutral_sentences(Path("data/raw/benchmarks") / PATH, "perplexity")[: arguments.sentences]
    names, strata = np.array([str(index) for index in range(len(sentences))]), np.array(["all"] * len(sentences))

    def scored(name: str) -> Clusters:
        return Clusters(names, strata, np.array(sums(arguments.models / f"{name}.gguf", sentences)))

    full = scored("full").sums.sum(axis=0)
    print(
        f"{arguments.models.name}: {len(sentences)} sentences, {full[1]:.0f} tokens; full: {math.exp(mean(full)):.1f}\n"
    )
    print("| build | plainer | perplexity | plainer's | ratio | 95 % interval | p |\n|---|---|--:|--:|--:|---|--:|")
    for better, plainer in pairs:
        if not all((arguments.models / f"{name}.json").is_file() for name in (better, plainer)):
            continue
        found = paired_difference(
            scored(better),
            scored(plainer),
            mean,
            bounds=(0.0, math.inf),
            resamples=arguments.resamples,
            confidence=CONFIDENCE,
            rng=np.random.default_rng(0),
        )
        left, right, ratio, low, high = np.exp(
            [found.estimate_a, found.estimate_b, found.difference, found.low, found.high]
        )
        print(
            f"| `{better}` | `{plainer}` | {left:.1f} | {right:.1f} | {ratio:.3f} | {low:.3f} to {high:.3f} |"
            f" {found.p:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
