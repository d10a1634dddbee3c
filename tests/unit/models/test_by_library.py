"""Builds by llm-compressor: what is asked of it, and what is made of its answer.

A stand-in answers in place of the library, whose environment the tests do not have; one test calls the library itself
where `make compression-env` was run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf.gguf_reader import ReaderTensor
from tiny_architectures import write_model

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.build import calibration_sequences
from edgebias.models.by_library import check_folder
from edgebias.models.gguf import open_gguf, values
from edgebias.models.prune import is_prunable

compress_by_library = command("compress-by-library")
ENVIRONMENT = Path(__file__).parents[3] / ".venv-compression" / "bin" / "python"

STAND_IN = """#!{python}
import json, sys
from pathlib import Path
import numpy as np
from safetensors.numpy import load_file, save_file
job = json.loads(Path(sys.argv[-1]).read_text())
Path({seen!r}).write_text(json.dumps(job))
changed = dict()
for name, weights in load_file(Path(job["folder"]) / "model.safetensors").items():
    if name.endswith("proj.weight"):
        rows = weights.astype(np.float32).reshape(-1, job.get("group", 4))
        if job["method"] == "sparsegpt":
            rows = np.where(np.argsort(np.argsort(abs(rows))) < 2, 0, rows)
        else:
            low, step = rows.min(1, keepdims=True), np.ptp(rows, axis=1, keepdims=True) / (2 ** job["bits"] - 1)
            rows = low + np.round((rows - low) / step) * step
        changed[name] = rows.reshape(weights.shape).astype(np.float32)
save_file(changed, job["output"], metadata=dict(version="9.9.9"))
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A program that takes the library's job and rounds, or prunes, by the plainest rule."""
    path = tmp_path / "python"
    path.write_text(STAND_IN.format(python=sys.executable, seen=str(tmp_path / "job.json")), encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def parent(tiny: Path, tmp_path: Path) -> Path:
    command("transformers-weights")(["--weights", str(tiny), "--output-folder", str(tmp_path / "folder")])
    return tiny


def flags(section: dict[str, Any], parent: Path, texts: Path, python: Path, folder: Path) -> list[str]:
    sizes = {"calibration_tokens": 256, "perplexity_tokens": 300}
    given = {
        "settings": json.dumps({"variant_record": sizes, "variants.small": section}),
        "parent": parent,
        "folder": folder,
        "texts": texts,
        "python": python,
        "output": folder.parent / "out" / "small.gguf",
        "record": folder.parent / "out" / "small.json",
    }
    return [text for key, value in given.items() for text in (f"--{key}", str(value))]


def made(section: dict[str, Any], parent: Path, texts: Path, python: Path, folder: Path) -> dict[str, Any]:
    compress_by_library(flags(section, parent, texts, python, folder))
    return json.loads((folder.parent / "out" / "small.json").read_text(encoding="utf-8"))


def matrices(path: Path) -> dict[str, ReaderTensor]:
    return {tensor.name: tensor for tensor in open_gguf(path).tensors if is_prunable(tensor)}


def test_every_matrix_takes_the_values_of_its_own_groups(
    parent: Path, texts: Path, stand_in: Path, tmp_path: Path
) -> None:
    """So no row of a query or key, which llama.cpp orders otherwise, got the weights of another."""
    section = {"fake_quantise": {"method": "gptq", "bits": 3, "group": 32, "seed": 2}}
    record = made(section, parent, texts, stand_in, tmp_path / "folder")
    before, after = matrices(parent), matrices(tmp_path / "out" / "small.gguf")
    assert len(after) == 14
    for name, tensor in after.items():
        dense, coarse = (values(one).reshape(-1, 32) for one in (before[name], tensor))
        assert max(len(np.unique(group)) for group in coarse) <= 8
        assert (np.abs(dense - coarse).max(axis=1) <= 0.51 * np.ptp(dense, axis=1) / 7 + 1e-3).all()
    assert record["fake_quantisation"]["library"] == "llm-compressor 9.9.9"
    assert record["fake_quantisation"]["nominal_bits_per_weight"] == 3 + 19 / 32
    assert record["fake_quantisation"]["calibration"]["tokens"] == 256
    assert 3.6 < record["fake_quantisation"]["nominal_bits_per_weight_of_file"] < record["bits_per_weight"]
    assert record["requested_type"] == "F16"
    assert record["pruning"] is None


def test_all_else_of_the_parent_stays_bit_for_bit(parent: Path, texts: Path, stand_in: Path, tmp_path: Path) -> None:
    made({"fake_quantise": {"method": "rtn", "bits": 4}}, parent, texts, stand_in, tmp_path / "folder")
    old, new = open_gguf(parent), open_gguf(tmp_path / "out" / "small.gguf")
    assert [tensor.name for tensor in old.tensors] == [tensor.name for tensor in new.tensors]
    for left, right in zip(old.tensors, new.tensors, strict=True):
        assert left.tensor_type == right.tensor_type
        if not is_prunable(left):
            np.testing.assert_array_equal(left.data, right.data)


def test_the_library_gets_the_calibration_text_of_the_seed(
    parent: Path, texts: Path, stand_in: Path, tmp_path: Path
) -> None:
    section = {"prune": {"method": "sparsegpt", "pattern": "2:4", "seed": 1}}
    record = made(section, parent, texts, stand_in, tmp_path / "folder")
    asked = json.loads((tmp_path / "job.json").read_text(encoding="utf-8"))
    assert asked["sequences"] == calibration_sequences(parent, texts, 256, 1)[0]
    assert asked["sequences"] != calibration_sequences(parent, texts, 256)[0]
    assert (asked["method"], asked["sparsity"], asked["pattern"]) == ("sparsegpt", 0.5, "2:4")
    assert record["pruning"]["pattern_found"]["obeying"] == record["pruning"]["pattern_found"]["groups"]
    assert record["sparsity"]["overall"] == record["sparsity"]["requested"] == 0.5
    assert record["pruning"]["seed"] == 1


def test_round_to_nearest_asks_for_no_text(parent: Path, texts: Path, stand_in: Path, tmp_path: Path) -> None:
    record = made({"fake_quantise": {"method": "rtn", "bits": 8}}, parent, texts, stand_in, tmp_path / "folder")
    assert json.loads((tmp_path / "job.json").read_text(encoding="utf-8"))["sequences"] == []
    assert "calibration" not in record["fake_quantisation"]


def test_the_folder_of_another_build_is_refused(
    make_tiny: Callable[..., dict[str, np.ndarray]], parent: Path, texts: Path, stand_in: Path, tmp_path: Path
) -> None:
    make_tiny(tmp_path / "other.gguf", seed=5)
    with pytest.raises(InputError, match=r"differs from .* of .*other\.gguf; make it with"):
        made(
            {"fake_quantise": {"method": "rtn", "bits": 8}},
            tmp_path / "other.gguf",
            texts,
            stand_in,
            tmp_path / "folder",
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_each_tensor_of_the_folder_is_one_of_the_file(kind: str, tmp_path: Path) -> None:
    weights = write_model(tmp_path / "model.gguf", kind)
    command("transformers-weights")(["--weights", str(tmp_path / "model.gguf"), "--output-folder", str(tmp_path / "f")])
    assert set(check_folder(tmp_path / "f", tmp_path / "model.gguf")) == set(weights)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"fake_quantise": {"method": "rtn", "bits": 5}}, r"bits is 5; allowed values: 8, 4, 3, 2"),
        ({"fake_quantise": {"method": "rtn", "bits": 4, "seed": 1}}, r"seed is given beside method rtn, which nothing"),
        ({"fake_quantise": {"method": "rtn", "bits": 4, "group": 48}}, r"rows of 64, no multiple of 48; give a group"),
        ({"fake_quantise": {"method": "rtn", "bits": 4}, "quantise": "Q8_0"}, r"quantise is given beside what llm-"),
        ({"prune": {"method": "wanda", "sparsity": 0.5}}, r"llama\.cpp makes it; call `edgebias compress`"),
        (
            {"prune": {"method": "magnitude", "sparsity": 0.5, "seed": 1}},
            r"seed is given beside method magnitude",
        ),
    ],
)
def test_bad_settings_are_refused(
    parent: Path, texts: Path, stand_in: Path, tmp_path: Path, section: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        made(section, parent, texts, stand_in, tmp_path / "folder")


def test_what_is_absent_is_named_with_the_way_out(parent: Path, texts: Path, stand_in: Path, tmp_path: Path) -> None:
    section = {"fake_quantise": {"method": "rtn", "bits": 4}}
    with pytest.raises(
        InputError, match=r"no such file; make llm-compressor's environment with `make compression-env`"
    ):
        made(section, parent, texts, tmp_path / "absent", tmp_path / "folder")
    with pytest.raises(InputError, match=r"no such file; make it with `edgebias transformers-weights`"):
        made(section, parent, texts, stand_in, tmp_path / "absent")
    stand_in.write_text("#!/bin/sh\necho far away >&2\necho no memory >&2\nexit 3\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"llm-compressor stopped \(status 3: no memory\)"):
        made(section, parent, texts, stand_in, tmp_path / "folder")
    assert not (tmp_path / "out" / "small.gguf").exists()


@pytest.mark.parametrize("end", ["exit 3", "kill -9 $PPID"])
def test_a_build_of_before_outlives_a_run_that_fails_or_is_killed(
    parent: Path, texts: Path, stand_in: Path, tmp_path: Path, end: str
) -> None:
    section = {"fake_quantise": {"method": "rtn", "bits": 8}}
    made(section, parent, texts, stand_in, tmp_path / "folder")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    stand_in.write_text(f"#!/bin/sh\n{end}\n", encoding="utf-8")
    run = "import sys; from edgebias.cli import command; command('compress-by-library')(sys.argv[1:])"
    arguments = flags(section, parent, texts, stand_in, tmp_path / "folder")
    assert subprocess.run([sys.executable, "-c", run, *arguments], capture_output=True, check=False).returncode != 0
    assert {name: (tmp_path / "out" / name).read_bytes() for name in before} == before


@pytest.mark.model
@pytest.mark.skipif(not ENVIRONMENT.is_file(), reason="no environment of llm-compressor: make compression-env")
@pytest.mark.parametrize("method", ["gptq", "awq", "rtn"])
def test_the_library_itself(parent: Path, texts: Path, tmp_path: Path, method: str) -> None:
    section = {"fake_quantise": {"method": method, "bits": 3, "group": 32}}
    record = made(section, parent, texts, ENVIRONMENT, tmp_path / "folder")
    for name, tensor in matrices(tmp_path / "out" / "small.gguf").items():
        if method != "awq" or "attn_v" not in name:  # AWQ stores its scales in the weights of what comes before
            assert max(len(np.unique(group)) for group in values(tensor).reshape(-1, 32)) <= (
                8 if method != "awq" else 32
            )
    assert record["fake_quantisation"]["library"] == "llm-compressor 0.14.0.1"
