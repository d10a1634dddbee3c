"""What control vectors do to the perplexity of texts that neither learning nor the guard has read.

    python benchmarks/vector_perplexity.py VECTOR.gguf [...]        every kind of text (four minutes a vector)
    python benchmarks/vector_perplexity.py --texts neutral --count 100 VECTOR.gguf

Kinds of text:

  neutral   sentences of Wikipedia on professions, the text of the budget (800)
  contexts  first sentences of StereoSet's intersentence items: everyday sentences, each of which names a group (800)
  answers   what the uncompressed build answers to everyday requests (60, some 60 tokens each), as the scores have it:
            does the steered build still find likely what the model would say in use?

Prints the rise over no vector in per cent, with a paired bootstrap over texts.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from likelihood_throughput import MODEL, START_TOKEN

from edgebias.backends.base import OptionRequest
from edgebias.backends.local.llama import LlamaBackend
from edgebias.mitigate.preserved_texts import losses, neutral_text
from edgebias.mitigate.reference_answers import answer_requests, read_answers
from edgebias.mitigate.steering.vector_file import read_control_vector
from edgebias.models.perplexity import neutral_sentences
from edgebias.suites.stereoset import items as stereoset

RAW = Path("data/raw/benchmarks")
TEXTS = RAW / "BOLD/data/wikipedia/profession_wiki.json"
RESAMPLES = 2000
ANSWERS = Path("results/edge/mitigation/edge") / MODEL.name / "reference_answers.parquet"


def neutral(count: int) -> Sequence[OptionRequest]:
    """Sentences of the part of the neutral text on which methods are measured."""
    sentences = neutral_sentences(TEXTS, "perplexity")
    return neutral_text(sentences[:count]).requests


def contexts(count: int) -> Sequence[OptionRequest]:
    """Different contexts, in a seeded order."""
    texts = sorted({item.context for item in stereoset.load(RAW) if item.context})
    return neutral_text([texts[place] for place in np.random.default_rng(0).permutation(len(texts))[:count]]).requests


def answers(count: int) -> Sequence[OptionRequest]:
    """Reference answers of the part on which methods are measured."""
    return answer_requests(read_answers(ANSWERS, "measured"))[:count]


KINDS: dict[str, tuple[Callable[[int], Sequence[OptionRequest]], int]] = {
    "neutral": (neutral, 800),
    "contexts": (contexts, 800),
    "answers": (answers, 60),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line for each kind of text and vector."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", nargs="+", type=Path)
    parser.add_argument("--build", default="wanda50_q8_0.gguf")
    parser.add_argument("--texts", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--count", type=int, help="texts of a kind; default: all that are named above")
    options = parser.parse_args(arguments)
    for kind in options.texts:
        load, usual = KINDS[kind]
        requests = load(options.count or usual)
        drawn = np.random.default_rng(0).integers(len(requests), size=(RESAMPLES, len(requests)))
        with LlamaBackend(MODEL / options.build, threads=1, context=1024, start_token=START_TOKEN) as backend:
            before = losses(backend, requests)
            tokens = before[:, 1]
            perplexity = math.exp(before[:, 0].sum() / tokens.sum())
            print(
                f"{kind}: {len(requests)} texts, {tokens.sum():.0f} tokens, "
                f"perplexity of {options.build} {perplexity:.2f}",
                flush=True,
            )
            for path in options.vectors:
                backend.set_control_vector(read_control_vector(path, backend.n_layer, backend.n_embd))
                change = losses(backend, requests)[:, 0] - before[:, 0]
                rises = 100.0 * np.expm1(change[drawn].sum(axis=1) / tokens[drawn].sum(axis=1))
                low, high = np.quantile(rises, [0.025, 0.975])
                rise = 100.0 * math.expm1(change.sum() / tokens.sum())
                print(f"  {path}: {rise:+.2f} % [{low:+.2f}, {high:+.2f}]", flush=True)


if __name__ == "__main__":
    main()
