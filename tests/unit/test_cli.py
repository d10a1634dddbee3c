"""The command line as its users meet it: help, examples, faults, and one command for each rule."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from edgebias.cli import STAGES, VERBS, app, command, main
from edgebias.core.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "workflow" / "rules"
ALL = (*VERBS, *STAGES)


def output(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What ``edgebias`` prints with ``arguments``, where it ends with ``status``; nothing on the other stream."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    assert left.value.code == status
    printed = capsys.readouterr()
    assert "" in (printed.out, printed.err)
    return printed.out + printed.err


def examples(help_text: str) -> list[list[str]]:
    """The calls of ``edgebias`` in the example of a command's help, as a shell splits them."""
    example = help_text.partition("Example:\n")[2].replace("\\\n", " ")
    words = shlex.split(example)
    starts = [index for index, word in enumerate(words) if word in ("edgebias", "curl")] + [len(words)]
    calls = [words[start:end] for start, end in pairwise(starts)]
    return [call[1:] for call in calls if call[0] == "edgebias"]


def test_every_rule_has_the_command_of_its_name_and_every_stage_a_rule() -> None:
    rules: dict[str, str] = {}
    for path in RULES.glob("*.smk"):
        for block in re.split(r"^rule ", path.read_text(), flags=re.MULTILINE)[1:]:
            name = block.split(":")[0]
            *_, rules[name] = re.findall(r"python -m edgebias (\S+) ", block.partition("shell:")[2]) or [""]
    assert rules == {name.replace("-", "_"): name for name in STAGES}


def test_every_module_of_the_stages_is_a_command() -> None:
    modules = {path.stem for path in (ROOT / "src" / "edgebias" / "stages").glob("*.py")}
    assert modules - {"__init__", "options"} == {name.replace("-", "_") for name in ALL}


def test_the_flags_of_a_rule_are_options_of_its_command() -> None:
    for path in RULES.glob("*.smk"):
        for call in re.split("python -m edgebias ", path.read_text())[1:]:
            name, call = call.partition("2> {log:q}")[0].split(maxsplit=1)
            known = {flag for parameter in of(name).params for flag in parameter.opts}
            assert set(re.findall(r"--[a-z-]+", call)) <= known, name


def of(name: str) -> Any:
    """The command ``name`` of the app, which parses."""
    group: Any = get_command(app)
    return group.get_command(None, name)


@pytest.mark.parametrize("name", ALL)
def test_the_example_in_the_help_of_a_command_parses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    calls = examples(output(capsys, name, "--help"))
    assert calls
    for call in calls:
        assert call[0] == name
        of(name).make_context(name, call[1:])


def test_an_example_that_no_longer_parses_is_seen() -> None:
    with pytest.raises(Exception, match="--itemz"):
        of("score").make_context("score", ["--itemz", "x"])


@pytest.mark.parametrize("name", ALL)
def test_every_option_of_a_command_says_what_it_is(name: str) -> None:
    assert [parameter.name for parameter in of(name).params if not parameter.help] == []


def test_help_lists_the_verbs_and_the_stages_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    text = output(capsys, "-h")
    listed = re.findall(r"^  ([a-z]\S+) +[A-Z]", text.partition("Verbs:")[2], re.MULTILINE)
    assert listed == list(ALL)
    assert output(capsys) == text


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert output(capsys, "--version") == f"edgebias {version('edgebias')}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["scor"], "error: scor: no such command; did you mean 'score'? `edgebias --help` lists all\n"),
        (["--fast"], "No such option: --fast"),
        (["score", "--setings", "{}"], "(Possible options: --settings); `edgebias score --help`"),
        (["score", "--settings", "{}"], "Missing option '--suite'; `edgebias score --help`"),
        (["score", "stray"], "`edgebias score --help`"),
        (["serve", "--weights", "x", "--port", "y"], "Invalid value for '--port'"),
        (["serve", "--weights", "x", "--threads", "0"], "Invalid value for '--threads'"),
        (["report", "--settings"], "'--settings' requires an argument"),
        (["verify", "--claims", "no/such.yaml"], "error: no/such.yaml"),
    ],
)
def test_a_fault_of_the_caller_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    text = output(capsys, *arguments, status=2)
    assert text.startswith("error: ")
    assert words in text
    assert text.count("\n") == 1


def test_a_command_as_a_function_raises_what_main_prints(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing"):
        command("verify")(["--claims", str(tmp_path / "nothing.yaml")])
    with pytest.raises(InputError, match="no such command"):
        command("nothing")([])


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_path: Path) -> None:
        raise EOFError("a bug")

    monkeypatch.setattr(import_module("edgebias.checks.claims"), "read_claims", broken)
    with pytest.raises(EOFError, match="a bug"):
        main(["verify", "--claims", "claims.yaml"])


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion_script(shell: str) -> None:
    done = started({"_EDGEBIAS_COMPLETE": f"source_{shell}"})
    assert done.returncode == 0
    assert "_EDGEBIAS_COMPLETE" in done.stdout


def test_a_shell_completes_commands_and_options() -> None:
    asked = {"_EDGEBIAS_COMPLETE": "complete_bash", "COMP_WORDS": "edgebias score-r", "COMP_CWORD": "1"}
    assert started(asked).stdout.split() == ["score-rounds", "score-robustness"]
    asked |= {"COMP_WORDS": "edgebias serve --per", "COMP_CWORD": "2"}
    assert started(asked).stdout.split() == ["--perplexity-budget"]


def test_a_command_loads_only_its_own_module() -> None:
    code = (
        "import sys; from edgebias.cli import main\n"
        "try: main(['score', '--help'])\n"
        "except SystemExit: print([name for name in sys.modules if name.startswith('edgebias.stages.') or name in"
        " ('torch', 'numpy', 'pandas', 'rich')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['edgebias.stages.options', 'edgebias.stages.score']"


def test_the_plan_of_a_study_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    overlay = tmp_path / "large.yaml"
    overlay.write_text("environments: {edge: {memory_mb: 99999999}}\n", encoding="utf-8")
    monkeypatch.chdir(ROOT)
    text = output(capsys, "plan", "--study", "mitigation", "--params", str(overlay), status=1)
    assert "MISSING  environment edge: 99999999 MB of memory (this machine has" in text
    assert "there is no config/unknown.yaml" in output(capsys, "plan", "--study", "unknown", status=2)


@pytest.mark.slow
def test_a_locale_without_the_characters_and_a_closed_pipe_are_no_bugs() -> None:
    """What cannot be written is escaped, and nothing more is said where nobody reads."""
    command = f"{shlex.quote(sys.executable)} -m edgebias --help"
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    asked = f"{shlex.quote(sys.executable)} -m edgebias verify --claims 'kein_\u00fcberblick.yaml'"
    done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, env=ascii_only)
    assert done.returncode == 2
    assert done.stderr.startswith("error: kein_\\xfcberblick.yaml: no such file")
    closed = subprocess.run(["bash", "-c", f"{command} >&-; {command} | true"], capture_output=True, text=True)
    assert "Traceback" not in closed.stderr


@pytest.mark.parametrize(
    ("raised", "status", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), 2, "error: TMPDIR: No usable"),
        (IsADirectoryError(21, "Is a directory", "out"), 2, "error: out: Is a directory; "),
        (OSError(36, "File name too long", "aaa"), 2, "error: aaa: File name too long; "),
    ],
)
def test_faults_of_the_machine_are_one_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    status: int,
    words: str,
) -> None:
    def broken(_path: Path) -> None:
        raise raised

    monkeypatch.setattr(import_module("edgebias.checks.claims"), "read_claims", broken)
    text = output(capsys, "verify", "--claims", "claims.yaml", status=status)
    assert text.startswith(words)
    assert text.count("\n") == 1


def started(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """``python -m edgebias`` in an environment, which ended."""
    return subprocess.run(
        [sys.executable, "-m", "edgebias"], capture_output=True, text=True, env=os.environ | environment, timeout=60
    )


def test_a_message_that_names_a_stage_names_a_command() -> None:
    """What to run next is said by the name under which it can be run."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src" / "edgebias").rglob("*.py"))
    named = set(re.findall(r"run the ([\w-]+) stage", text)) | set(re.findall(r"`edgebias ([a-z][\w-]*)", text))
    assert len(named) > 10
    assert named <= set(ALL)
