"""How what a model writes differs from real sentences: shares of women with their tests, and the shift of states."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from occupation_files import occupation_rows, write_sentences

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.suites.occupation_sentences import JOBS, held_out, read_occupation_sentences
from edgebias.train.augment import AUGMENTED_TEXT
from edgebias.train.misalignment import EMBEDDING_SHIFT, GROUP_DATA, compared, group_data, shift_test


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """60 sentences about men and 20 about women of each job."""
    write_sentences(tmp_path, occupation_rows(women=20, men=60))
    return tmp_path


def texts(women: int, men: int, untold: int = 2, kind: str = "neutral") -> pd.DataFrame:
    """Kept texts of each job by the gender that they tell, and one that is not kept."""
    genders = ["female"] * women + ["male"] * men + ["neither"] * untold
    rows = [
        {
            "kind": kind,
            "job": job,
            "place": place,
            "group": "nobody",
            "prompt": "Write.",
            "seed": place,
            "text": f"The {job} of town {place} works.",
            "masked": f"The [MASK] of town {place} works." if fit else "",
            "gender": gender,
            "outcome": "kept" if fit else "length",
        }
        for job in JOBS
        for place, (gender, fit) in enumerate([*((gender, True) for gender in genders), ("female", False)])
    ]
    return pd.DataFrame(rows, columns=list(AUGMENTED_TEXT.names))


def test_shares_are_of_kept_texts_that_tell_one_gender_and_of_sentences_that_may_be_trained_on(raw: Path) -> None:
    sentences = read_occupation_sentences(raw)
    table = group_data({"neutral": texts(9, 3)}, sentences, 0.95)
    GROUP_DATA.check(table, "groups")
    free = [one for one in sentences if not held_out(one.text)]
    for row in table.itertuples():
        of_job = [one.gender for one in free if one.job == row.job]
        assert (row.n_augmented, row.n_original) == (12, len(of_job))
        assert row.augmented == 0.75
        assert row.original == of_job.count("female") / len(of_job)
        assert row.low < row.difference < row.high
        assert row.low > 0
        assert row.p_value < 0.01


def test_newcombe_s_interval_is_the_published_one() -> None:
    """Newcombe 1998, Statistics in Medicine 17, p. 873, method 10: 56/70 and 48/80 differ by 0.0524 to 0.3339."""
    row = compared(["female"] * 56 + ["male"] * 14, ["female"] * 48 + ["male"] * 32, 0.95)
    assert (round(row["low"], 4), round(row["high"], 4)) == (0.0524, 0.3339)


def test_a_job_of_which_no_text_tells_a_gender_has_no_share(raw: Path) -> None:
    table = group_data({"neutral": texts(0, 0)}, read_occupation_sentences(raw), 0.95)
    GROUP_DATA.check(table, "groups")
    assert table[["augmented", "difference", "low", "high", "p_value"]].isna().all(axis=None)


def test_a_planted_shift_is_found_and_one_of_jobs_alone_is_not() -> None:
    """Two jobs far from each other: another mix of them is no shift, a step within each is."""
    rng = np.random.default_rng(1)
    jobs_of_originals, jobs_of_augmented = ["nurse"] * 30 + ["painter"] * 10, ["nurse"] * 10 + ["painter"] * 30

    def states(jobs: list[str], step: float) -> np.ndarray:
        centres = np.array([3.0 if job == "nurse" else -3.0 for job in jobs])
        return centres[:, None] + step + rng.standard_normal((len(jobs), 8))

    for step, found in ((0.0, False), (1.0, True)):
        tested = shift_test(
            states(jobs_of_originals, 0.0),
            states(jobs_of_augmented, step),
            jobs_of_originals,
            jobs_of_augmented,
            999,
            np.random.default_rng(2),
        )
        assert (tested["p_value"] <= 0.002) == found
        assert tested["shift"] == pytest.approx(step, abs=0.25)


@pytest.mark.slow
def test_without_a_shift_the_test_rejects_as_often_as_its_level_says() -> None:
    rng = np.random.default_rng(7)
    jobs = ["nurse"] * 12
    p_values = [
        shift_test(rng.standard_normal((12, 4)), rng.standard_normal((12, 4)), jobs, jobs, 99, rng)["p_value"]
        for _ in range(200)
    ]
    assert 0.01 <= np.mean(np.array(p_values) <= 0.05) <= 0.1


@pytest.mark.slow
def test_the_command_writes_both_tables_the_same_bytes_twice(raw: Path, parent: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{kind}.parquet" for kind in ("neutral", "contextual_explicit")]
    for path in paths:
        AUGMENTED_TEXT.write(texts(4, 4, kind=path.stem), path)
    written = []
    for name in ("first", "second"):
        outputs = [tmp_path / f"{name}_groups.csv", tmp_path / f"{name}_shift.csv"]
        settings = {"seed": 1, "compare": {"resamples": 100}, "models.tiny": {}}
        given = ["--settings", json.dumps(settings), "--folder", parent.with_name("full.transformers")]
        given += ["--raw-folder", raw, "--groups", outputs[0], "--shift", outputs[1]]
        given += [part for path in paths for part in ("--texts", path)]
        command("misalignment")([*map(str, given)])
        written.append([path.read_bytes() for path in outputs])
    assert written[0] == written[1]
    table = pd.read_csv(tmp_path / "first_shift.csv")
    EMBEDDING_SHIFT.check(table, "shift")
    assert table["kind"].tolist() == ["contextual_explicit", "neutral"]
    assert (table["n_augmented"] == 6 * 10).all()
    assert (table["shift"] > table["by_chance"]).all()
    assert (table["p_value"] < 0.05).all()


def test_a_table_of_two_kinds_is_refused(raw: Path, parent: Path, tmp_path: Path) -> None:
    path = tmp_path / "texts.parquet"
    AUGMENTED_TEXT.write(pd.concat([texts(1, 1), texts(1, 1, kind="contextual_explicit")]), path)
    settings = json.dumps({"seed": 1, "compare": {}, "models.tiny": {}})
    given = ["--settings", settings, "--folder", str(parent.with_name("full.transformers")), "--raw-folder", str(raw)]
    given += ["--groups", str(tmp_path / "a.csv"), "--shift", str(tmp_path / "b.csv"), "--texts", str(path)]
    with pytest.raises(InputError, match="has texts of 2 kinds"):
        command("misalignment")(given)
