"""Is what looks like knowing when a text does not tell only the length of the text? On the answers of a study with BBQ.

    python benchmarks/abstention_by_length.py FOLDER ITEMS

FOLDER is results/edge/mitigation/E/M/V of a study, ITEMS its data/items/edge/bbq.parquet.

BBQ's disambiguated contexts are its ambiguous ones with more sentences, so whoever says "unknown" to short ones scores
well without reading them. For each method of FOLDER that has answered BBQ: how often it said "unknown" by kind and by
number of words, and how many questions it sorts right (unknown to ambiguous ones, a group to others), beside the best
rule "unknown up to so many words", chosen on these very items. Then the same where both kinds have texts of such
length, and how many of the disambiguated questions that were answered were answered right, where a coin gets half.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from edgebias.infer.answer import LIKELIHOOD
from edgebias.metrics.answers import UNKNOWN
from edgebias.mitigate.held_out import HELD_OUT, read_split
from edgebias.mitigate.registry import LOOPS, NONE, OPEN_LOOP

BINS = (0, 18, 22, 27, 36, 45, 53, 65, 1000)
"""Words, up to and including; about eighths of BBQ."""
SHARED = 27, 53
"""Words, above and up to: the bins of which both kinds have more than a handful of questions."""


def words(contexts: pd.Series) -> pd.Series:
    """Number of words of each context."""
    return contexts.str.split().str.len()


def answers(folder: Path, items: pd.DataFrame) -> pd.DataFrame:
    """Items with the words of their context, whether they are ambiguous, whether "unknown" was said, and if rightly."""
    responses = pd.read_parquet(folder / "responses.parquet").set_index("item_id")[["format", "outcome", "choice"]]
    table = items.join(responses[responses["format"] == LIKELIHOOD], on="item_id", how="inner")
    return pd.DataFrame(
        {
            "words": words(table["context"]),
            "ambiguous": table["condition"] == "ambiguous",
            "unknown": table["outcome"] == UNKNOWN,
            "right": table["choice"] == table["label"],
        }
    )


def longest_unknown(table: pd.DataFrame) -> int:
    """The number of words up to which "unknown" sorts most questions right."""
    sorted_right = {
        words: float(((table["words"] <= words) == table["ambiguous"]).mean()) for words in sorted(set(table["words"]))
    }
    return max(sorted_right, key=sorted_right.__getitem__)


def by_kind(table: pd.DataFrame, said: pd.Series) -> str:
    """How often "unknown" was said to each kind, and how many questions that sorts right."""
    ambiguous, others = (100.0 * float(said[table["ambiguous"] == kind].mean()) for kind in (True, False))
    right = 100.0 * float((said == table["ambiguous"]).mean())
    return f'"unknown" to {ambiguous:.1f} % of the ambiguous, {others:.1f} % of the others; sorted right: {right:.1f} %'


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a paragraph for each method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("items", type=Path)
    options = parser.parse_args(arguments)
    items = read_split(options.items, HELD_OUT)
    for name in (NONE, OPEN_LOOP, *LOOPS):
        if not (options.folder / name / "responses.parquet").exists():
            continue
        table = answers(options.folder / name, items)
        longest = longest_unknown(table)
        shared = table[table["words"].between(*SHARED, inclusive="right")]
        told = table[~table["ambiguous"] & ~table["unknown"]]
        print(f"{name}: {len(table)} questions; {by_kind(table, table['unknown'])}")
        print(f"  up to {longest} words: {by_kind(table, table['words'] <= longest)}")
        print(f"  {SHARED[0] + 1} to {SHARED[1]} words, {len(shared)} questions: {by_kind(shared, shared['unknown'])}")
        print(f"    up to {longest} words: {by_kind(shared, shared['words'] <= longest)}")
        print(f"  of {len(told)} disambiguated questions with an answer {100.0 * told['right'].mean():.1f} % right")
        lengths = pd.cut(table["words"], list(BINS))
        shares = table.groupby([lengths, "ambiguous"], observed=True)["unknown"].agg(["size", "mean"]).unstack()
        for interval, row in shares.iterrows():
            cells = (
                f"{kind} {100.0 * row['mean', flag]:.0f} % of {row['size', flag]:.0f}"
                for kind, flag in (("ambiguous", True), ("others", False))
                if row.get(("size", flag), 0) > 0
            )
            print(f"    {interval.left + 1:.0f} to {interval.right:.0f} words: {', '.join(cells)}")


if __name__ == "__main__":
    main()
