"""An audit of real builds: a half that is pruned away is seen, eight bits for sixteen are not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgebias.audit import plan, run
from edgebias.cli import main
from edgebias.models.prune import magnitude_masks, write_pruned
from edgebias.models.quantise import write_quantised

DATA = Path(__file__).parents[3] / "data"
WEIGHTS = DATA / "models/smollm2-135m-instruct/full.gguf"

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"{WEIGHTS} is absent: run `make data`"),
]


def test_a_pruned_half_is_worse_and_eight_bits_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "ASKED", ("stereoset",))
    monkeypatch.setattr(plan, "SIZES", {"quick": plan.Size({"stereoset": (2, 0)}, 8, 200)})
    monkeypatch.setattr(run, "SIZES", plan.SIZES)
    write_pruned(WEIGHTS, tmp_path / "pruned.gguf", magnitude_masks(WEIGHTS, 0.5))
    write_quantised(WEIGHTS, tmp_path / "q8_0.gguf", "Q8_0")
    names = [str(tmp_path / "pruned.gguf"), str(tmp_path / "q8_0.gguf")]
    options = ["--raw-folder", str(DATA / "raw/benchmarks"), "--folder", str(tmp_path), "--threads", "1"]
    with pytest.raises(SystemExit) as left:
        main(["audit", *names, "--against", str(WEIGHTS), *options, "--json", str(tmp_path / "audit.json")])
    assert left.value.code == 1
    found = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert [build["worse"] for build in found["builds"]] == [True, False]
    assert "it hardly models text any more" in found["verdict"][0]
    memory = {one["build"]: one["memory_mb"] for one in found["cost"]}
    assert memory["q8_0.gguf"] < memory["pruned.gguf"]
    pruned, eight_bits = found["divergence"]
    assert pruned["broken"]
    assert pruned["mean"] > 1 > 0.05 > eight_bits["mean"] > 0
    assert eight_bits["agreement"] > 90
