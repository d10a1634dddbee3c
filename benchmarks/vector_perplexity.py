"""What control vectors do to the perplexity of neutral text that neither learning nor the guard has read.

    python benchmarks/vector_perplexity.py VECTOR.gguf [...]                      800 sentences (two minutes a vector)
    python benchmarks/vector_perplexity.py --sentences 100 VECTOR.gguf

Prints the rise over no vector in per cent, with a paired bootstrap over sentences.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import numpy.typing as npt
from likelihood_throughput import MODEL, START_TOKEN

from edgebias.backends.llama import LlamaBackend
from edgebias.mitigate.vector_file import read_control_vector
from edgebias.variants.perplexity import neutral_sentences, sentence_scorer

TEXTS = Path("data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json")
RESAMPLES = 2000


def losses(backend: LlamaBackend, sentences: Sequence[str]) -> npt.NDArray[np.float64]:
    """Negative log-likelihood and tokens of each sentence, shape (sentences, 2)."""
    scored = sentence_scorer(backend.score)(list(sentences))
    return np.array([[-one.logprobs[0], one.n_tokens[0]] for one in scored])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line a vector."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", nargs="+", type=Path)
    parser.add_argument("--build", default="wanda50_q8_0.gguf")
    parser.add_argument("--sentences", type=int, default=800)
    options = parser.parse_args(arguments)
    sentences = neutral_sentences(TEXTS, "perplexity")[: options.sentences]
    drawn = np.random.default_rng(0).integers(len(sentences), size=(RESAMPLES, len(sentences)))
    with LlamaBackend(MODEL / options.build, threads=1, context=1024, start_token=START_TOKEN) as backend:
        before = losses(backend, sentences)
        tokens = before[:, 1]
        print(
            f"{options.build}: perplexity {math.exp(before[:, 0].sum() / tokens.sum()):.2f}, {tokens.sum():.0f} tokens"
        )
        for path in options.vectors:
            backend.set_control_vector(read_control_vector(path, backend.n_layer, backend.n_embd))
            change = losses(backend, sentences)[:, 0] - before[:, 0]
            rises = 100.0 * np.expm1(change[drawn].sum(axis=1) / tokens[drawn].sum(axis=1))
            low, high = np.quantile(rises, [0.025, 0.975])
            print(
                f"{path}: {100.0 * math.expm1(change.sum() / tokens.sum()):+.2f} % [{low:+.2f}, {high:+.2f}]",
                flush=True,
            )


if __name__ == "__main__":
    main()
