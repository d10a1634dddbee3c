"""Does a mitigated build still say "unknown" where a text does not tell, once the text is as long as one that tells?

    python benchmarks/abstention_with_padding.py FOLDER ITEMS

FOLDER is results/edge/mitigation/E/M/V of a study, ITEMS its data/items/edge/bbq.parquet.

BBQ's disambiguated contexts are its ambiguous ones with more sentences. Here each held-out ambiguous context gets
sentences that do not tell either, until it has about as many words as its disambiguated twin: neutral ones (of the text
that perplexity is measured on), or those that tell in a question of another category, about other people; none has a
word of the two answers. "Unknown" stays right; whoever goes by length, or by how such sentences sound, now says
something else. The answers to contexts as they are, of both kinds, stand beside it.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pandas as pd
from abstention_by_length import answers, words
from likelihood_throughput import FAMILY, MODEL, START_TOKEN
from repeated_forced_choice import interval
from studied_method import studied
from vector_perplexity import TEXTS

from edgebias.backends.base import Backend
from edgebias.backends.local.llama import LlamaBackend
from edgebias.infer.answer import LIKELIHOOD, AnswerSettings, answer_items
from edgebias.infer.items import items_from_table
from edgebias.metrics.answers import UNKNOWN
from edgebias.metrics.metric import percent
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.mitigate.registry import LOOPS, NONE
from edgebias.models.perplexity import neutral_sentences

COMMON = {"a", "an", "and", "in", "of", "one", "the", "who", "with"}
"""Words of options that name nobody."""


def families(items: pd.DataFrame) -> pd.Series:
    """Name of the four items to which each belongs."""
    parts = items["item_id"].str.rsplit("/", n=1).str
    return parts[0] + "/" + (parts[1].astype(int) // FAMILY).astype(str)


def telling_sentences(items: pd.DataFrame) -> dict[str, list[str]]:
    """What disambiguated contexts say beyond their ambiguous twins, by category."""
    family, ambiguous = families(items), items["condition"] == "ambiguous"
    short = items["context"][ambiguous].groupby(family[ambiguous]).first()
    table = items[~ambiguous].assign(short=family[~ambiguous].map(short))
    begun = table[[row.context.startswith(row.short) for row in table.itertuples()]]
    told = [row.context[len(row.short) :].strip() for row in begun.itertuples()]
    return {
        category: sorted({told[place] for place in places})
        for category, places in begun.groupby("category").indices.items()
    }


def names(row: Any) -> set[str]:
    """The words by which a question's two groups are known: those of its options but "unknown"."""
    options = [option for option, role in zip(row.options, row.roles, strict=True) if role != UNKNOWN]
    return set(re.findall(r"\w+", " ".join(options).lower())) - COMMON


def padded(items: pd.DataFrame, sentences: Callable[[str], Sequence[str]], rng: np.random.Generator) -> pd.DataFrame:
    """The ambiguous items, each with sentences after its context until it is nearest to its twin's number of words.

    Args:
        items: whole families.
        sentences: what may be added to contexts of a category, if it has none of the words of the question's `names`.
        rng: which of equally fitting sentences is taken.
    """
    family, ambiguous = families(items), items["condition"] == "ambiguous"
    twin = words(items["context"])[~ambiguous].groupby(family[~ambiguous]).mean()
    table = items[ambiguous].copy()
    known = {
        category: [(text, len(text.split()), set(re.findall(r"\w+", text.lower()))) for text in sentences(category)]
        for category in sorted(set(table["category"]))
    }
    contexts = []
    for row, wanted in zip(table.itertuples(), family[ambiguous].map(twin), strict=True):
        called = names(row)
        strange = [(text, length) for text, length, said in known[row.category] if not said & called]
        fits = np.array([length for _, length in strange])
        context = row.context
        while (missing := wanted - len(context.split())) >= fits.min() / 2:
            off = np.abs(fits - min(missing, fits.max()))
            context = f"{context} {strange[int(rng.choice(np.flatnonzero(off == off.min())))][0]}"
        contexts.append(context)
    table["context"] = contexts
    return table


def unknown_to(backend: Backend, table: pd.DataFrame) -> pd.Series:
    """Whether "unknown" is the answer to each item, by id."""
    items = items_from_table(table, "padded", "bbq")
    found = answer_items(backend, items, [LIKELIHOOD], AnswerSettings(seed=0, max_new_tokens=1))
    return pd.Series((found["outcome"] == UNKNOWN).to_numpy(), found["item_id"].to_numpy())


def share(said: pd.Series, cluster: pd.Series) -> str:
    """Per cent of items with "unknown", and its interval over templates."""
    sums = said.astype(float).groupby(cluster.to_numpy()).agg(["sum", "count"])
    return interval(sums, percent, (0.0, 100.0))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each method and kind of context."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("items", type=Path)
    parser.add_argument("--build", default="wanda50_q8_0.gguf")
    parser.add_argument("--method", action="append", choices=(NONE, *LOOPS), help="default: those that the study has")
    options = parser.parse_args(arguments)
    items = read_split(options.items, HELD_OUT)
    neutral, telling = neutral_sentences(TEXTS, "perplexity"), telling_sentences(items)
    tables = {
        name: padded(items, sentences, np.random.default_rng(0))
        for name, sentences in {
            "neutral sentences": lambda _: neutral,
            "what tells in another category": lambda mine: [
                text for category, texts in telling.items() if category != mine for text in texts
            ],
        }.items()
    }
    told = items["condition"] != "ambiguous"
    short, long = (words(items["context"])[chosen].mean() for chosen in (~told, told))
    print(
        f"{(~told).sum()} held-out ambiguous questions, contexts of {short:.1f} words; disambiguated ones of {long:.1f}"
    )
    for name, table in tables.items():
        print(f"  with {name}: {words(table['context']).mean():.1f} words, e.g. {table['context'].iloc[0]}")
    weights = MODEL / options.build
    with LlamaBackend(weights, threads=1, context=2560, start_token=START_TOKEN) as build:
        for method in options.method or (NONE, *LOOPS):
            if not (options.folder / method / "responses.parquet").exists():
                continue
            model = studied(build, method, options.folder, weights)
            before = answers(options.folder / method, items).set_axis(items["item_id"])
            print(f'{method}: "unknown", per cent')
            for kind, chosen in (("ambiguous", ~told), ("disambiguated", told)):
                part = items[chosen.to_numpy()]
                print(f"  {kind}: {share(before.loc[part['item_id'], 'unknown'], part['cluster'])}")
            for name, table in tables.items():
                after = unknown_to(model.backend, table).loc[table["item_id"]]
                opened = "" if model.gate is None else f", gate open for {100.0 * model.gate.opened():.0f} %"
                print(f"  ambiguous, with {name}: {share(after, table['cluster'])}{opened}", flush=True)
            model.lift()


if __name__ == "__main__":
    main()
