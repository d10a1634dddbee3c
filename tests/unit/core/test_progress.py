"""What a log file and a terminal show of a stage that takes long."""

from __future__ import annotations

import pytest

from edgebias.core import progress
from edgebias.core.progress import watched


class Clock:
    """A hundred seconds pass with every look."""

    def __init__(self) -> None:
        self.now = -100.0

    def __call__(self) -> float:
        self.now += 100.0
        return self.now


def test_a_log_file_gets_plain_lines_with_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    assert list(watched(range(3), "letter", 3, Clock())) == [0, 1, 2]
    assert capsys.readouterr().err.splitlines() == [
        "letter: 1 of 3 answers, 0.01 a second, 03:20 left",
        "letter: 2 of 3 answers, 0.01 a second, 01:40 left",
        "letter: 3 of 3 answers in 05:00",
        "letter: 3 of 3 answers in 06:40",
    ]


def test_a_stage_that_is_quick_says_one_line_and_one_that_fails_none(capsys: pytest.CaptureFixture[str]) -> None:
    list(watched(range(1200), "letter", 1200))
    assert capsys.readouterr().err == "letter: 1,200 of 1,200 answers in 00:00\n"
    with pytest.raises(ZeroDivisionError):
        list(watched((1 // number for number in (1, 0)), "letter", 2))
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True)
    list(watched(range(3), "letter", 3, Clock()))
    shown = capsys.readouterr().err
    assert shown.startswith("\rletter: 100%")
    assert shown.count("\n") == 1
