"""Perplexity of plain sentences after several start tokens: which one does a model know?

    python benchmarks/start_token.py data/models/qwen2-5-coder-0-5b/full.gguf
    python benchmarks/start_token.py FILE.gguf --token '<|endoftext|>' --token '\\n'

The sentences are those that builds are calibrated with, so that the choice sees nothing that is measured later. The
interval of the ratio to the first token is a paired bootstrap over sentences.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from compression_perplexity import CONFIDENCE, mean

from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.models.build import PERPLEXITY_CONTEXT
from edgebias.models.neutral_text import PATH
from edgebias.models.perplexity import neutral_sentences, sentence_scorer
from edgebias.stats.clusters import Clusters
from edgebias.stats.contrasts import paired_difference

TOKENS = ("<|endoftext|>", "\\n", " ", "<|im_start|>", "<|im_end|>")


def scored(weights: Path, start: str, sentences: list[str]) -> Clusters:
    """Negative log-likelihood in nats and number of tokens of each sentence."""
    with LlamaBackend(weights, threads=1, context=PERPLEXITY_CONTEXT, start_token=start, memory_mb=None) as backend:
        sums = [[-one.logprobs[0], float(one.n_tokens[0])] for one in sentence_scorer(backend.score)(sentences)]
    names = np.array([str(index) for index in range(len(sentences))])
    return Clusters(names, np.array(["all"] * len(sentences)), np.array(sums))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path)
    parser.add_argument(
        "--token", action="append", help="a start token, with \\n for a line break; the first is compared with"
    )
    parser.add_argument("--sentences", type=int, default=60)
    parser.add_argument("--resamples", type=int, default=10_000)
    arguments = parser.parse_args()
    sentences = neutral_sentences(Path("data/raw/benchmarks") / PATH, "calibration")[: arguments.sentences]
    tokens = arguments.token or TOKENS
    runs = [scored(arguments.weights, token.replace("\\n", "\n"), sentences) for token in tokens]
    print("| start token | perplexity | ratio to the first | 95 % interval |\n|---|--:|--:|---|")
    for token, run in zip(tokens, runs, strict=True):
        found = paired_difference(
            run,
            runs[0],
            mean,
            bounds=(0.0, math.inf),
            resamples=arguments.resamples,
            confidence=CONFIDENCE,
            rng=np.random.default_rng(0),
        )
        value, ratio, low, high = np.exp([found.estimate_a, found.difference, found.low, found.high])
        print(f"| `{token}` | {value:.1f} | {ratio:.3f} | {low:.3f} to {high:.3f} |")


if __name__ == "__main__":
    main()
