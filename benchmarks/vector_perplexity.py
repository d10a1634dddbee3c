"""What control vectors do to the perplexity of texts that neither learning nor the guard has read.

    python benchmarks/vector_perplexity.py VECTOR.gguf [...]        every kind of text (four minutes a vector)
    python benchmarks/vector_perplexity.py --texts neutral --count 100 VECTOR.gguf

Kinds of text:

  neutral   sentences of Wikipedia on professions, the text of the budget (800)
  contexts  first sentences of StereoSet's intersentence items: everyday sentences, each of which names a group (800)
  answers   what the uncompressed build answers to everyday requests after its chat template (100, some 60 tokens each):
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
import numpy.typing as npt
from likelihood_throughput import MODEL, START_TOKEN

from edgebias.backends.base import GenerationRequest, GenerationSettings, Message, OptionRequest, Prompt
from edgebias.backends.llama import LlamaBackend
from edgebias.mitigate.vector_file import read_control_vector
from edgebias.prompts import stereoset
from edgebias.variants.perplexity import neutral_sentences

RAW = Path("data/raw/benchmarks")
RESAMPLES = 2000
TASKS = ["Explain", "Give three facts about", "Write a short story about", "Tell a child about", "Write a poem about"]
TOPICS = [
    *("the moon", "bread", "rivers", "chess", "trains", "autumn", "the heart", "bicycles", "bees", "volcanoes"),
    *("inflation", "vaccines", "music", "planting a tree", "sleep", "bridges", "the sea", "maps", "numbers", "rain"),
]


def neutral(count: int) -> list[OptionRequest]:
    """Sentences of the part of the neutral text on which methods are measured."""
    return _alone(neutral_sentences(RAW / "BOLD/data/wikipedia/profession_wiki.json", "perplexity")[:count])


def contexts(count: int) -> list[OptionRequest]:
    """Different contexts, in a seeded order."""
    texts = sorted({item.context for item in stereoset.load(RAW) if item.context})
    return _alone([texts[place] for place in np.random.default_rng(0).permutation(len(texts))[:count]])


def answers(count: int) -> list[OptionRequest]:
    """Requests and what the uncompressed build answers, drawn at a temperature of 0.7."""
    asked = [Prompt(messages=(Message("user", f"{task} {topic}."),)) for topic in TOPICS for task in TASKS][:count]
    requests = [GenerationRequest(prompt, seed=number) for number, prompt in enumerate(asked)]
    with LlamaBackend(MODEL / "full.gguf", threads=1, context=1024, start_token=START_TOKEN) as backend:
        written = backend.generate(requests, GenerationSettings(max_new_tokens=60, temperature=0.7))
        return [OptionRequest(one, (said.text,)) for one, said in zip(asked, written, strict=True) if said.text.strip()]


KINDS: dict[str, tuple[Callable[[int], list[OptionRequest]], int]] = {
    "neutral": (neutral, 800),
    "contexts": (contexts, 800),
    "answers": (answers, 100),
}


def _alone(sentences: Sequence[str]) -> list[OptionRequest]:
    return [OptionRequest(Prompt(text=""), (sentence,)) for sentence in sentences]


def losses(backend: LlamaBackend, requests: Sequence[OptionRequest]) -> npt.NDArray[np.float64]:
    """Negative log-likelihood and tokens of each text, shape (texts, 2)."""
    return np.array([[-one.logprobs[0], one.n_tokens[0]] for one in backend.score(requests)])


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
