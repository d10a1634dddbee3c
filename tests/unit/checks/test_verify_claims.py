from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgebias.checks.claims import read_claims
from edgebias.cli import command
from edgebias.core.errors import run_stage

main = command("verify")

REPOSITORY = Path(__file__).parents[3]


def claim(expect: dict[str, Any], reads: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "paper": "p",
        "claim": "A thing holds",
        "reads": reads,
        "expect": expect,
        "tier": "exact",
        "cost": "1 s",
        **more,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    value = {
        "passed": True,
        "model": "x",
        "bits": 8.5,
        "interval": {"low": 1, "high": 2},
        "unknown": {"low": None, "high": 2},
    }
    (tmp_path / "a.json").write_text(json.dumps(value))
    (tmp_path / "b.csv").write_text("name,value,low,high\nx,1.5,1.0,2.0\ny,-2.0,-3.0,1.0\nz,NaN,NaN,NaN\n")
    return tmp_path


def outcome(root: Path, *claims: dict[str, Any]) -> int:
    path = root / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": list(claims)}))
    try:
        main(["--claims", str(path), "--root", str(root)])
    except SystemExit as stopped:
        return int(stopped.code or 0)
    return 0


X, Y, Z = ({"file": "b.csv", "where": {"name": name}, "column": "value"} for name in "xyz")
BITS = {"file": "a.json", "key": "bits"}


@pytest.mark.parametrize(
    ("expect", "reads", "status"),
    [
        ({"equals": True}, {"file": "a.json", "key": "passed"}, 0),
        ({"equals": False}, {"file": "a.json", "key": "passed"}, 1),
        ({"within": {"value": 8.4, "tolerance": 0.2}}, BITS, 0),
        ({"within": {"value": 8.4, "tolerance": 0.05}}, BITS, 1),
        ({"at_least": 8.5}, BITS, 0),
        ({"at_least": 8.6}, BITS, 1),
        ({"above": 0}, X, 0),
        ({"above": 0}, Y, 1),
        ({"above": 0}, Z, 1),
        ({"interval_covers": 1.5}, {"file": "a.json", "key": "interval"}, 0),
        ({"interval_covers": 0}, {"file": "a.json", "key": "interval"}, 1),
        ({"interval_covers": 1.5}, {"file": "a.json", "key": "unknown"}, 1),
        ({"interval_covers": 1.5}, {"file": "a.json", "key": "bits"}, 1),
        ({"interval_covers": 1.5}, {"file": "absent*.json", "key": "interval"}, 1),
        ({"defined": True}, X, 0),
        ({"defined": True}, {"file": "b.csv", "column": "value"}, 1),
        ({"above": 0}, {"file": "absent.csv", "column": "value"}, 1),
        ({"above": 0}, {"file": "absent*.json", "key": "x"}, 1),
        ({"above": 0}, {"file": "b.csv", "where": {"name": "none"}, "column": "value"}, 1),
        ({"above": 0}, {"file": "a.json", "key": "no.such"}, 1),
        ({"above": 0}, {"file": "b.csv", "column": "no"}, 1),
    ],
)
def test_claim_holds_or_fails(expect: dict[str, Any], reads: dict[str, Any], status: int, root: Path) -> None:
    assert outcome(root, claim(expect, reads)) == status


def test_condition_that_does_not_hold_skips_with_its_reason(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    requires = [{"file": "a.json", "key": "model", "equals": "llama-2", "otherwise": "another model ran"}]
    assert outcome(root, claim({"equals": False}, {"file": "a.json", "key": "passed"}, requires=requires)) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("SKIPPED")
    assert "another model ran" in printed
    requires[0]["equals"] = "x"
    assert outcome(root, claim({"equals": False}, {"file": "a.json", "key": "passed"}, requires=requires)) == 1


def test_one_failure_among_many_fails(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(root, claim({"above": 0}, X), claim({"above": 0}, Y, id="d")) == 1
    assert "1 PASS, 1 FAIL, 0 SKIPPED" in capsys.readouterr().out


@pytest.mark.parametrize(
    "change", [{"tier": "maybe"}, {"expect": {"good": 1}}, {"expect": {}}, {"extra": 1}, {"reads": {"key": "a"}}]
)
def test_broken_claims_file_is_one_line(change: dict[str, Any], root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "claims.yaml").write_text(yaml.safe_dump({"claims": [claim({"above": 0}, X) | change]}))
    with pytest.raises(SystemExit) as stopped:
        run_stage(main, ["--claims", str(root / "claims.yaml")])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_our_claims_are_well_formed_and_fail_where_nothing_ran(tmp_path: Path) -> None:
    claims = REPOSITORY / "claims.yaml"
    assert len(read_claims(claims)) >= 10
    with pytest.raises(SystemExit) as stopped:
        main(["--claims", str(claims), "--root", str(tmp_path)])
    assert stopped.value.code == 1
