"""The stage through its command line, on a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.models.build import build
from edgebias.models.prune import check_prunable
from edgebias.models.record import groups_obeying
from edgebias.models.settings import Pruning, VariantRecordSettings, VariantSettings

full_precision = command("full-precision")
compress = command("compress")

RECORD = {"calibration_tokens": 256, "perplexity_tokens": 300}


def run_full(source: Path, texts: Path, folder: Path) -> dict[str, Any]:
    settings = {"variant_record": RECORD, "models.tiny": {"start_token": "<|endoftext|>"}}
    full_precision(
        [
            "--settings",
            json.dumps(settings),
            "--source",
            str(source),
            "--texts",
            str(texts),
            "--output",
            str(folder / "full.gguf"),
            "--record",
            str(folder / "full.json"),
        ]
    )
    return json.loads((folder / "full.json").read_text(encoding="utf-8"))


def run_build(name: str, section: dict[str, Any], parent: Path, texts: Path, folder: Path) -> dict[str, Any]:
    settings = {"variant_record": RECORD, f"variants.{name}": section}
    compress(
        [
            "--settings",
            json.dumps(settings),
            "--parent",
            str(parent),
            "--texts",
            str(texts),
            "--output",
            str(folder / f"{name}.gguf"),
            "--record",
            str(folder / f"{name}.json"),
        ]
    )
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def full(tiny: Path, texts: Path, tmp_path: Path) -> Path:
    run_full(tiny, texts, tmp_path / "models")
    return tmp_path / "models" / "full.gguf"


def test_record_of_the_full_build(tiny: Path, texts: Path, tmp_path: Path) -> None:
    record = run_full(tiny, texts, tmp_path / "models")
    assert record["variant"] == "full"
    assert record["requested_type"] == "F16"
    assert record["sparsity"]["overall"] == 0
    assert record["perplexity"]["tokens"] >= 300
    assert record["perplexity"]["value"] > 1
    assert str(tmp_path) not in json.dumps(record)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("section", "sparsity"),
    [
        ({"from": "full", "prune": {"method": "wanda", "sparsity": 0.5}, "quantise": "Q8_0"}, None),
        ({"from": "full", "prune": {"method": "wanda", "sparsity": 0.5}}, 0.5),
        ({"from": "full", "prune": {"method": "magnitude", "sparsity": 0.25}}, 0.25),
        ({"from": "full", "quantise": "Q4_0"}, None),
    ],
)
def test_two_builds_have_the_same_bytes_and_leave_nothing_else(
    full: Path, texts: Path, tmp_path: Path, section: dict[str, Any], sparsity: float | None
) -> None:
    first = run_build("small", section, full, texts, tmp_path / "a")
    second = run_build("small", section, full, texts, tmp_path / "b")
    assert first == second
    for name in ("small.gguf", "small.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["small.gguf", "small.json"]
    if sparsity is not None:
        measured = first["sparsity"]
        assert measured["overall"] == measured["matrix_min"] == measured["matrix_max"] == sparsity
        assert measured["requested"] == sparsity
    if section.get("prune", {}).get("method") == "wanda":
        assert first["pruning"]["calibration"]["tokens"] == 256
        assert "one forward pass" in first["pruning"]["activations"]
        assert first["sparsity"]["overall"] >= 0.5


@pytest.mark.parametrize(("method", "pattern"), [("magnitude", "2:4"), ("wanda", "4:8")])
def test_every_group_of_a_pattern_is_counted_in_the_file(
    full: Path, texts: Path, tmp_path: Path, method: str, pattern: str
) -> None:
    record = run_build("nm", {"from": "full", "prune": {"method": method, "pattern": pattern}}, full, texts, tmp_path)
    found, group = record["pruning"]["pattern_found"], int(pattern[-1])
    assert found == {"of": group, "zeros": group // 2, "groups": found["groups"], "obeying": found["groups"]}
    assert found["groups"] * group == record["sparsity"]["weights"]
    assert record["sparsity"]["overall"] == record["sparsity"]["requested"] == 0.5
    assert f"each {group} neighbouring inputs" in record["pruning"]["scope"]


@pytest.mark.slow
def test_an_importance_matrix_is_in_the_record_and_changes_the_file(full: Path, texts: Path, tmp_path: Path) -> None:
    plain = run_build("plain", {"quantise": "Q4_0"}, full, texts, tmp_path)
    weighted = run_build("weighted", {"quantise": "Q4_0", "importance": True}, full, texts, tmp_path)
    assert weighted["sha256"] != plain["sha256"]
    assert weighted["importance"]["calibration"]["tokens"] == 256
    assert "importance" not in plain


def test_unstructured_zeros_do_not_obey_a_pattern(full: Path, texts: Path, tmp_path: Path) -> None:
    run_build("half", {"prune": {"method": "magnitude", "sparsity": 0.5}}, full, texts, tmp_path)
    found = groups_obeying(tmp_path / "half.gguf", 4, 2)
    assert 0 < found["obeying"] < found["groups"]


def test_a_pattern_that_does_not_divide_the_rows_is_refused(
    make_tiny: Callable[..., dict[str, np.ndarray]], tmp_path: Path
) -> None:
    make_tiny(tmp_path / "tiny.gguf")
    with pytest.raises(InputError, match=r"has rows of 64, no multiple of 48; give sparsity instead of pattern"):
        check_prunable(tmp_path / "tiny.gguf", 48)


@pytest.mark.slow
def test_prune_then_quantise_is_the_two_builds_in_a_row(full: Path, texts: Path, tmp_path: Path) -> None:
    pruning = {"method": "magnitude", "sparsity": 0.5}
    both = run_build("both", {"from": "full", "prune": pruning, "quantise": "Q8_0"}, full, texts, tmp_path / "x")
    run_build("pruned", {"from": "full", "prune": pruning}, full, texts, tmp_path / "x")
    row = run_build(
        "row", {"from": "pruned", "quantise": "Q8_0"}, tmp_path / "x" / "pruned.gguf", texts, tmp_path / "x"
    )
    assert both["sha256"] == row["sha256"]


def test_a_failure_leaves_no_file(make_tiny: Callable[..., dict[str, np.ndarray]], texts: Path, tmp_path: Path) -> None:
    wide = tmp_path / "wide.gguf"
    make_tiny(wide, width=256)
    out = tmp_path / "out"
    out.mkdir()
    recipe = VariantSettings.model_construct(prune=Pruning(method="magnitude", sparsity=0.5), quantise="IQ1_S")
    sizes = VariantRecordSettings(calibration_tokens=256, perplexity_tokens=256)
    with pytest.raises(InputError, match="importance matrix"):
        build("bad", recipe, wide, texts, sizes, out / "bad.gguf", out / "bad.json")
    assert not list(out.iterdir())


def test_too_long_a_text_is_refused_and_leaves_no_file(full: Path, texts: Path, tmp_path: Path) -> None:
    settings = {
        "variant_record": {"calibration_tokens": 256, "perplexity_tokens": 10**6},
        "variants.q": {"quantise": "Q8_0"},
    }
    with pytest.raises(InputError, match="1000000 are asked for"):
        compress(
            [
                "--settings",
                json.dumps(settings),
                "--parent",
                str(full),
                "--texts",
                str(texts),
                "--output",
                str(tmp_path / "out" / "q.gguf"),
                "--record",
                str(tmp_path / "out" / "q.json"),
            ]
        )
    assert not list((tmp_path / "out").iterdir())


def test_a_truncated_parent_is_refused(full: Path, texts: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(full.read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"cut\.gguf: not a whole GGUF file"):
        run_build("q", {"quantise": "Q8_0"}, cut, texts, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"from": "full"}, "neither 'prune' nor 'quantise'"),
        ({"quantize": "Q8_0"}, "unknown key 'quantize'"),
        ({"quantise": "INT8"}, "quantise is 'INT8'; .*allowed values: F16, Q8_0"),
        (
            {"prune": {"method": "random", "sparsity": 0.5}},
            "method is 'random'; allowed values: magnitude, wanda",
        ),
        ({"prune": {"method": "wanda", "sparsity": 1.5}}, "prune.sparsity is 1.5; a number above 0 and below 1"),
        ({"prune": {"method": "wanda"}}, "prune.sparsity is missing"),
        ({"importance": True}, "importance is given without quantise"),
        ({"prune": {"method": "wanda", "pattern": "1:4"}}, "prune.pattern is '1:4'; .*allowed values: 2:4, 4:8"),
        ({"prune": {"method": "wanda", "pattern": "2:4", "sparsity": 0.5}}, "prune.pattern is given beside sparsity"),
    ],
)
def test_bad_settings_are_refused(
    tiny: Path, texts: Path, tmp_path: Path, section: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        run_build("bad", section, tiny, texts, tmp_path / "out")


@pytest.mark.parametrize("value", [0, -1, True, 1.5, None, "8192"])
def test_bad_record_settings_are_refused(tiny: Path, texts: Path, tmp_path: Path, value: object) -> None:
    settings = {"variant_record": {"calibration_tokens": value, "perplexity_tokens": 1}, "models.m": {}}
    with pytest.raises(InputError, match=r"variant_record\.calibration_tokens"):
        full_precision(
            [
                "--settings",
                json.dumps(settings),
                "--source",
                str(tiny),
                "--texts",
                str(texts),
                "--output",
                str(tmp_path / "o.gguf"),
                "--record",
                str(tmp_path / "o.json"),
            ]
        )
