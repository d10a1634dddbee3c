"""The vector that is shipped does, on average, what the loop has judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.mitigate.steering.shipped_vector import ship
from edgebias.mitigate.steering.vector_file import model_shape, read_control_vector, write_control_vector

main = command("shipped-directions")


def vectors(folder: Path, shape: tuple[int, int], count: int = 3) -> tuple[list[Path], np.ndarray]:
    drawn = np.random.default_rng(1).normal(size=(count, *shape)).astype(np.float32)
    drawn[:, 0] = 0.0
    paths = [folder / f"all_but_fold_{fold + 1}.gguf" for fold in range(count)]
    for path, vector in zip(paths, drawn, strict=True):
        write_control_vector(vector, path, "llama")
    return paths, drawn


def test_what_is_shipped_has_an_equal_part_of_each_fold_and_is_a_control_vector_of_the_build(
    tiny: Path, tmp_path: Path
) -> None:
    shape = model_shape(tiny)
    paths, drawn = vectors(tmp_path, shape)
    out = tmp_path / "mean.gguf"
    parts = [part for path in paths for part in ("--directions-without", str(path))]
    main(["--weights", str(tiny), *parts, "--control-vector", str(out)])
    shipped = read_control_vector(out, *shape)
    # Along any direction, its effect to first order is the mean of theirs.
    probe = np.random.default_rng(2).normal(size=shape)
    effects = [float((probe * vector).sum()) for vector in drawn]
    assert float((probe * shipped).sum()) == pytest.approx(sum(effects) / 3, abs=1e-4)
    assert np.linalg.norm(shipped) < min(np.linalg.norm(vector) for vector in drawn)  # what differs cancels out


def test_vectors_of_another_model_are_refused_and_nothing_is_written(tiny: Path, tmp_path: Path) -> None:
    paths, _ = vectors(tmp_path, (model_shape(tiny)[0] + 1, model_shape(tiny)[1]))
    out = tmp_path / "out" / "mean.gguf"
    with pytest.raises(InputError, match=r"all_but_fold_1.gguf: tensor .* does not fit a model of"):
        ship(tiny, directions_without=paths, control_vector=out)
    with pytest.raises(InputError, match=r"absent.gguf: no such file"):
        ship(tiny, directions_without=[tmp_path / "absent.gguf"], control_vector=out)
    assert not out.exists()
