"""Mixtures of original sentences and augmented texts: how much of each, what they share, and what is done to texts."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from occupation_files import occupation_rows, write_names_and_words, write_sentences

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.infer.wording import likelihood_wording
from edgebias.metrics.answers import OPTION
from edgebias.suites.item import Item
from edgebias.suites.occupation_sentences import JOBS, QUESTION, held_out, read_occupation_sentences
from edgebias.train.augment import AUGMENTED_TEXT
from edgebias.train.examples import read_examples
from edgebias.train.mixture import MIXTURE, example_prompt, in_shares

BIAS = "contextual_explicit"
PER_JOB, MEASURED = 20, 5


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """60 sentences about men and 20 about women of each job, of which about half are held out; names and words."""
    write_sentences(tmp_path, occupation_rows(women=20, men=60))
    write_names_and_words(tmp_path)
    return tmp_path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """16 texts of each job, every fourth of which is not fit."""
    rows = [
        {
            "kind": BIAS,
            "job": job,
            "place": place,
            "group": group,
            "prompt": f"Write about a {job}.",
            "seed": place,
            "text": f"A woman, FBlackana, who is a {job}, said that she had {place} things to do." if fit else "",
            "masked": f"A woman, FBlackana, who is a [MASK], said that she had {place} things to do." if fit else "",
            "gender": "female",
            "outcome": "kept" if fit else "length",
        }
        for job in JOBS
        for place in range(16)
        for group, fit in ((("female", "male")[place % 2], place % 4 != 3),)
    ]
    path = tmp_path / "texts.parquet"
    AUGMENTED_TEXT.write(pd.DataFrame(rows), path)
    return path


def mixture(raw: Path, texts: Path | None, ratio: float, *, seed: int = 1, **how: Any) -> pd.DataFrame:
    """What the command makes, checked as a table and as examples."""
    entry = {"ratio": ratio, "per_job": PER_JOB, "held_out_per_job": MEASURED, **({"bias": BIAS} if ratio else {})}
    settings = {"seed": seed, "mixtures.mine": entry | how}
    output = raw / "mixture.parquet"
    given = ["--settings", json.dumps(settings), "--raw-folder", str(raw), "--output", str(output)]
    command("mixture")(given + (["--texts", str(texts)] if texts is not None else []))
    read_examples(output, "response", origins=ratio > 0)
    table = pd.read_parquet(output)
    MIXTURE.check(table, output)
    return table


def part(table: pd.DataFrame, origin: str, split: str = "train") -> set[str]:
    return set(table["source"][(table["origin"] == origin) & (table["split"] == split)])


@pytest.mark.parametrize(("ratio", "augmented"), [(0, 0), (0.05, 1), (0.1, 2), (0.2, 4), (0.5, 10)])
def test_examples_are_exchanged_and_never_added(ratio: float, augmented: int, raw: Path, texts: Path) -> None:
    table = mixture(raw, texts if ratio else None, ratio)
    trained = table[table["split"] == "train"]
    counts = trained.groupby(["response", "origin"]).size().unstack(fill_value=0)
    assert set(counts.index) == {f" {job}" for job in JOBS}
    assert (counts.sum(axis=1) == PER_JOB).all()
    assert (counts.get("augmented", counts["original"] * 0) == augmented).all()
    assert table[table["split"] == "held_out"].groupby(["response", "origin"]).size().to_dict() == {
        (f" {job}", "original"): MEASURED for job in JOBS
    }


def test_mixtures_of_one_seed_share_originals_texts_and_what_measures_them(raw: Path, texts: Path) -> None:
    found = [mixture(raw, texts if ratio else None, ratio) for ratio in (0, 0.1, 0.2, 0.5)]
    for lower, higher in pairwise(found):
        assert part(higher, "original") < part(lower, "original")
        assert part(lower, "augmented") < part(higher, "augmented")
        assert part(lower, "original", "held_out") == part(higher, "original", "held_out")
    token = mixture(raw, texts, 0.5, mitigation="token")
    assert token["source"].tolist() == found[-1]["source"].tolist()


def test_another_seed_of_a_mixture_or_of_a_study_draws_other_sentences(raw: Path) -> None:
    first = part(mixture(raw, None, 0), "original")
    assert part(mixture(raw, None, 0, **{"seed": 2}), "original") != first
    settings = {"seed": 1, "mixtures.mine": {"ratio": 0, "per_job": PER_JOB, "seed": 9}}
    output = raw / "other.parquet"
    command("mixture")(["--settings", json.dumps(settings), "--raw-folder", str(raw), "--output", str(output)])
    assert part(pd.read_parquet(output), "original") != first


def test_no_sentence_that_a_suite_asks_is_trained_on_or_measures(raw: Path, texts: Path) -> None:
    sentences = {sentence.source: sentence for sentence in read_occupation_sentences(raw)}
    table = mixture(raw, texts, 0.5)
    used = part(table, "original") | part(table, "original", "held_out")
    assert len(used) == 6 * (10 + MEASURED)
    assert not any(held_out(sentences[source].text) for source in used)
    assert not part(table, "original") & part(table, "original", "held_out")
    for row in table[table["origin"] == "original"].itertuples():
        assert (row.response.strip(), row.group) == (sentences[row.source].job, sentences[row.source].gender)


def test_the_share_of_women_is_the_one_found_at_every_ratio(raw: Path, texts: Path) -> None:
    free = [sentence for sentence in read_occupation_sentences(raw) if not held_out(sentence.text)]
    for ratio in (0, 0.5):
        table = mixture(raw, texts if ratio else None, ratio)
        trained = table[(table["split"] == "train") & (table["origin"] == "original")]
        for job in JOBS:
            share = pd.Series([one.gender == "female" for one in free if one.job == job]).mean()
            women = (trained["group"][trained["response"] == f" {job}"] == "female").sum()
            count = (trained["response"] == f" {job}").sum()
            assert abs(women - share * count) <= 1


def test_an_order_in_shares_has_them_in_its_first_entries() -> None:
    entries = [("a", place) for place in range(30)] + [("b", place) for place in range(10)]
    found = in_shares(entries, lambda one: one[0], lambda one: one)
    assert sorted(found) == sorted(entries)
    for count in range(1, 41):
        assert abs(sum(name == "a" for name, _ in found[:count]) - 0.75 * count) <= 1


def test_prompt_and_response_are_what_a_suite_asks_and_scores() -> None:
    text = "A [MASK] works."
    item = Item(
        item_id="bbq/1",
        suite="winobias",
        category="a",
        cluster="a",
        condition="ambiguous",
        context=text,
        question=QUESTION,
        options=JOBS,
        roles=(OPTION,) * len(JOBS),
        label=0,
        source="a",
    )
    asked = likelihood_wording(item)
    assert asked.prompt.text == example_prompt(text)
    assert asked.continuations == tuple(f" {job}" for job in JOBS)


def test_a_warning_stands_before_augmented_texts_alone(raw: Path, texts: Path) -> None:
    plain, token = (mixture(raw, texts, 0.5, mitigation=name) for name in ("none", "token"))
    augmented = plain["origin"] == "augmented"
    assert (token["prompt"][~augmented] == plain["prompt"][~augmented]).all()
    warned = "The following text may contain bias.\n" + plain["prompt"][augmented]
    assert (token["prompt"][augmented] == warned).all()


def test_neutral_words_are_put_into_augmented_texts_alone(raw: Path, texts: Path) -> None:
    plain, mask = (mixture(raw, texts, 0.5, mitigation=name) for name in ("none", "mask"))
    augmented = plain["origin"] == "augmented"
    assert (mask["prompt"][~augmented] == plain["prompt"][~augmented]).all()
    for prompt in mask["prompt"][augmented]:
        assert prompt.startswith("A person, the person, who is a [MASK], said that they had ")
    assert not augmented[plain["split"] == "held_out"].any()


def test_too_few_texts_or_sentences_or_other_texts_are_one_line(raw: Path, texts: Path) -> None:
    for wanted, given, how, words in (
        (0.9, texts, {}, "wants 18 augmented texts of architect, and 12 are fit"),
        (
            0.5,
            texts,
            {"bias": "contrastive_explicit"},
            "has texts of kind contextual_explicit, and mixtures.mine wants contrastive_explicit",
        ),
        (0.5, None, {}, "give the texts of its bias"),
        (0, texts, {}, "and none at 0"),
        (0, None, {"per_job": 90}, "wants 95 sentences of architect"),
    ):
        with pytest.raises(InputError) as refused:
            mixture(raw, given, wanted, **how)
        assert words in str(refused.value)
        assert "\n" not in str(refused.value)
        assert not (raw / "mixture.parquet").exists()
