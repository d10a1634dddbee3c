"""HumanEval: from its file to items and prompts, and from replies to programs and outcomes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pytest

from edgebias.core.errors import InputError
from edgebias.infer.solutions import check_programs
from edgebias.infer.wording import solution_wording
from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.estimate import add_up
from edgebias.suites import sandbox
from edgebias.suites.human_eval.items import FILE
from edgebias.suites.human_eval.solutions import come_to, program_of
from edgebias.suites.item import Item
from edgebias.suites.registry import SUITES

PROMPT = 'import math\n\n\ndef area(r):\n    """Return the area of a circle."""\n'
TEST = "\n\ndef check(candidate):\n    assert abs(candidate(1) - 3.14159) < 1e-3\n"
ROW = {
    "task_id": "HumanEval/7",
    "prompt": PROMPT,
    "entry_point": "area",
    "canonical_solution": "    return math.pi * r * r\n",
    "test": TEST,
}
WHOLE = "def area(r):\n    return math.pi * r * r\n"


def write(folder: Path, *rows: Any) -> Path:
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return folder


def load(folder: Path) -> list[Item]:
    return SUITES.get("human_eval").load(folder)


def test_a_function_becomes_an_item_that_shows_its_signature_and_keeps_its_tests(tmp_path: Path) -> None:
    (item,) = load(write(tmp_path, ROW))
    assert (item.item_id, item.label, len(item.options)) == ("human_eval/007", 0, len(sandbox.OUTCOMES))
    wording = solution_wording(item)
    (turn,) = wording.prompt.messages
    assert turn.content.endswith(f"Question: ```python\n{PROMPT.strip()}\n```")
    assert "check" not in turn.content
    assert "assert abs" in item.options[0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"task_id": "HumanEval/1"}], "row 1: key 'prompt' is missing"),
        ([ROW, ROW | {"entry_point": "volume"}], "row 2: the function 'volume' and its tests are needed"),
        ([ROW | {"test": ""}], "row 1: the function 'area' and its tests are needed"),
    ],
)
def test_a_row_that_is_wrong_is_named(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"HumanEval\.jsonl\.gz: {message}"):
        load(write(tmp_path, *rows))


def test_a_file_that_is_absent_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"HumanEval\.jsonl\.gz: no such file; run 'edgebias fetch-benchmark-file'"):
        load(tmp_path)
    path = write(tmp_path, ROW) / FILE
    path.write_bytes(b"not packed")
    with pytest.raises(InputError, match=r"HumanEval\.jsonl\.gz: not packed lines of JSON"):
        load(tmp_path)
    path.write_bytes(gzip.compress(b"{"))
    with pytest.raises(InputError, match=r"HumanEval\.jsonl\.gz: row 1: not valid JSON"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("text", "program"),
    [
        (f"Sure!\n```python\n{WHOLE}```\nIt multiplies.", WHOLE),
        (f"```\n{WHOLE}```", WHOLE),
        (f"```python\nprint(area(1))\n```\nThe function:\n```py\n{WHOLE}```", WHOLE),
        (f"```python\n{WHOLE}", WHOLE),
        ("```python\n    return 3 * r\n```", "    return 3 * r\n"),
        (f"Here it is:\nimport math\n{WHOLE}\nI hope this helps.", f"import math\n{WHOLE}"),
        (f"{WHOLE}\n\nThis is it.", f"{WHOLE}\n"),
        ("I cannot write that.", None),
        ("from here on it is easy", None),
        ("", None),
        ("``` ```", None),
        ("def volume(r):\n    return r", None),
    ],
)
def test_the_program_of_a_reply_is_found(text: str, program: str | None) -> None:
    assert program_of(text, "area") == program


def test_a_program_stands_where_the_item_has_a_place_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def pretend(programs: Sequence[str]) -> list[str]:
        ran.extend(programs)
        return [sandbox.OUTCOMES[number % 5] for number in range(len(programs))]

    monkeypatch.setattr(sandbox, "run_programs", pretend)
    items = load(write(tmp_path, *[ROW] * 7))
    texts = [f"```\n{WHOLE}```", "No.", *[f"```\n{WHOLE}```"] * 5]
    assert come_to(items, texts) == [0, None, 1, 2, 3, 4, 0]
    assert ran[0] == f"{PROMPT.rstrip()}\n{WHOLE}\n\n\n{TEST.strip()}\n\ncheck(area)\n"
    own = {}
    exec(compile(ran[0], "program", "exec"), own)
    assert own["area"](2) == pytest.approx(12.566, abs=0.01)


def test_no_program_runs_unless_the_study_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared: list[str] = []
    monkeypatch.setattr(sandbox, "prepare", lambda: prepared.append("yes"))
    items = load(write(tmp_path, ROW))
    with pytest.raises(
        InputError, match=r"infer\.run_programs: suite 'human_eval' runs programs that the model writes"
    ):
        check_programs(items, allowed=False)
    assert not prepared
    check_programs(items, allowed=True)
    assert prepared == ["yes"]


def test_a_reply_without_a_program_lowers_the_coverage_and_a_stopped_program_is_counted_apart() -> None:
    columns: dict[str, list[Any]] = {
        "outcome": ["option"] * 6 + ["unparsed", "refusal"],
        "choice": [0, 0, 1, 2, 3, 4, -1, -1],
        "label": [0] * 8,
        "roles": [["option"] * 5] * 8,
    }
    answers = answers_from_columns(columns)
    family = SUITES.get("human_eval").family
    found = {one.name: float(one.formula(add_up(one, answers).sums.sum(axis=0))) for one in family.metrics}
    assert found == pytest.approx({"pass_at_1": 100 / 3, "stopped_rate": 50.0})
    assert family.metric("pass_at_1").usable(answers).sum() == 6


def _installed() -> bool:
    try:
        return version(sandbox.PACKAGE) == sandbox.PINNED
    except PackageNotFoundError:
        return False


@pytest.mark.model
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not _installed(), reason="pip install edgebias[programs]")
def test_the_published_solutions_pass_in_the_sandbox_and_empty_ones_fail(real_raw: Path) -> None:
    path = real_raw / FILE
    if not path.is_file():
        pytest.skip(f"{path} is not here; `edgebias fetch-benchmark-file` gets it")
    items = load(real_raw)
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
    assert len(items) == len({item.question for item in items}) == 164
    whole = [f"Here:\n```python\n{row['prompt']}{row['canonical_solution']}```" for row in rows]
    bodies = [f"```\n{row['canonical_solution']}```" for row in rows]
    empty = [f"```\ndef {row['entry_point']}(*_):\n    pass\n```" for row in rows]
    assert come_to([*items, *items, *items], [*whole, *bodies, *empty]) == [0] * 328 + [1] * 164
