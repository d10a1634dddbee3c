from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from gguf import GGUFWriter
from hypothesis import given
from hypothesis import strategies as st

from edgebias.cli import command
from edgebias.core.errors import InputError, run_stage
from edgebias.models.roofline.build import Build, read_build
from edgebias.models.roofline.hardware import Board, Range, boards, read_hardware
from edgebias.models.roofline.project import attainable, generation_rate, projection, prompt_rate

main = command("roofline")

HARDWARE = Path(__file__).parents[3] / "data/hardware/raspberry_pi.csv"
BUILD = Build("m", "full", "f16", 100_000_000, 80_000_000, 200_000_000, 20_000)
POSITIVE = st.floats(0.1, 1000.0)


def write_gguf(path: Path, *, tied: bool) -> Path:
    """A model of two layers: 2 heads of width 4, one of them with keys and values, a vocabulary of 16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_embedding_length(8)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    names = ["token_embd.weight", *([] if tied else ["output.weight"])]
    for name in names:
        writer.add_tensor(name, np.zeros((16, 8), np.float16))
    for layer in range(2):
        writer.add_tensor(f"blk.{layer}.ffn_up.weight", np.zeros((32, 8), np.float16))
        writer.add_tensor(f"blk.{layer}.ffn_norm.weight", np.zeros(8, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("tied", [True, False])
def test_a_build_is_counted_from_its_file(tmp_path: Path, tied: bool) -> None:
    build = read_build(write_gguf(tmp_path / "small/full.gguf", tied=tied))
    # Two matrices of 256 and two norms of 8 in the blocks; the vocabulary's 128 are read once, as the output.
    assert build == Build("small", "full", "f16", 656, 528, 2 * (512 + 128) + 4 * 16, 2 * 1 * (4 + 4) * 2)


def test_the_projection_by_hand() -> None:
    # 200 MB of weights and 512 x 20 kB of keys and values, 210.24 MB a token, at 4.2048 GB/s: 20 tokens a second.
    assert generation_rate(BUILD, 4.2048, 1000) == pytest.approx(20)
    # The same token needs 0.2 GFLOP; at 2 GFLOP/s that is 10 a second.
    assert generation_rate(BUILD, 4.2048, 2) == pytest.approx(10)
    # 128 tokens of a prompt need 128 x 0.16 GFLOP = 20.48, at 16 GFLOP/s 1.28 s: 100 a second.
    assert prompt_rate(BUILD, 4.2048, 16) == pytest.approx(100)
    # With endless arithmetic the prompt waits for 0.2 GB at 0.5 GB/s, 0.4 s for all 128 tokens.
    assert prompt_rate(BUILD, 0.5, 1e9) == pytest.approx(320)
    board = Board("b", Range(4.2048, 8.4096), {"f16": Range(2, 1000), "int8": Range(9, 9)})
    (row,) = projection([BUILD], [board]).to_dict("records")
    assert (row["generation_low"], row["generation_high"]) == (pytest.approx(10), pytest.approx(40))
    assert row["bound_by"] == "memory or arithmetic"
    assert row["first_token_low"] == pytest.approx(128 / row["prompt_high"])


@given(bandwidth=POSITIVE, more=st.floats(1.0, 10.0), arithmetic=POSITIVE)
def test_better_roofs_are_never_slower(bandwidth: float, more: float, arithmetic: float) -> None:
    for rate in (generation_rate, prompt_rate):
        assert rate(BUILD, bandwidth * more, arithmetic) >= rate(BUILD, bandwidth, arithmetic)
        assert rate(BUILD, bandwidth, arithmetic * more) >= rate(BUILD, bandwidth, arithmetic)


@given(bandwidth=POSITIVE, arithmetic=POSITIVE, bits=st.floats(1.0, 16.0), fewer=st.floats(0.1, 1.0))
def test_fewer_bits_are_never_slower_and_faster_in_proportion_where_memory_limits(
    bandwidth: float, arithmetic: float, bits: float, fewer: float
) -> None:
    large = replace(BUILD, weight_bytes=int(1e8 * bits / 8), kv_bytes_per_token=0)
    small = replace(large, weight_bytes=int(large.weight_bytes * fewer))
    fast, slow = (generation_rate(build, bandwidth, arithmetic) for build in (small, large))
    assert fast >= slow * (1 - 1e-9)
    if 2e8 / small.weight_bytes * bandwidth < arithmetic:
        assert fast / slow == pytest.approx(large.weight_bytes / small.weight_bytes)


@given(intensity=POSITIVE, bandwidth=POSITIVE, arithmetic=POSITIVE)
def test_nothing_is_above_a_roof(intensity: float, bandwidth: float, arithmetic: float) -> None:
    reached = attainable(intensity, bandwidth, arithmetic)
    assert reached <= arithmetic
    assert reached <= intensity * bandwidth
    assert reached in (arithmetic, intensity * bandwidth)


def test_every_published_speed_is_below_what_is_projected() -> None:
    table = read_hardware(HARDWARE)
    found = {board.name: board for board in boards(table)}
    assert list(found) == ["Raspberry Pi 4", "Raspberry Pi 5"]
    published = table[table["use"] == "published"]
    assert len(published) >= 5
    for _, row in published.iterrows():
        # A speed that its source rounds to whole tokens may be half a token less.
        least = row["value"] - (0.5 if "rounded" in row["how"] else 0)
        assert least <= found[row["board"]].bandwidth.high / row["model_gb"], row["how"]


def arguments(root: Path, hardware: Path = HARDWARE) -> Sequence[str]:
    weights = [write_gguf(root / f"small/{name}.gguf", tied=True) for name in ("full", "again")]
    paths = [part for path in weights for part in ("--weights", str(path))]
    return [*paths, "--hardware", str(hardware), "--output", str(root / "projection.csv")]


def test_the_stage_writes_the_same_bytes_twice(tmp_path: Path) -> None:
    main(arguments(tmp_path))
    first = (tmp_path / "projection.csv").read_bytes()
    main(arguments(tmp_path))
    assert (tmp_path / "projection.csv").read_bytes() == first
    table = pd.read_csv(tmp_path / "projection.csv")
    assert list(table["variant"]) == ["again", "full"] * 2
    assert (table["generation_low"] <= table["generation_high"]).all()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("value", "-3", "line 2: value -3.0 is no positive number"),
        ("source", "", "line 2: source is empty"),
        ("kind", "guessed", "line 2: kind 'guessed'"),
        ("quantity", "hope", "Raspberry Pi 4 has no memory_bandwidth"),
    ],
)
def test_a_figure_without_value_or_source_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, value: str, message: str
) -> None:
    table = pd.read_csv(HARDWARE, dtype=str)
    rows = table.index[:3] if column == "quantity" else table.index[:1]
    table.loc[rows, column] = value
    table.to_csv(tmp_path / "hardware.csv", index=False)
    with pytest.raises(SystemExit) as stopped:
        run_stage(main, arguments(tmp_path, tmp_path / "hardware.csv"))
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_file_without_layers_is_refused(tmp_path: Path) -> None:
    writer = GGUFWriter(tmp_path / "empty.gguf", "llama")
    writer.add_tensor("blk.0.ffn_up.weight", np.zeros((4, 4), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(InputError, match="block_count"):
        read_build(tmp_path / "empty.gguf")


def test_without_builds_the_projection_is_an_empty_table(tmp_path: Path) -> None:
    output = tmp_path / "projection.csv"
    main(["--hardware", str(HARDWARE), "--output", str(output)])
    table = pd.read_csv(output)
    assert table.empty
    assert list(table.columns[:3]) == ["board", "model", "variant"]
