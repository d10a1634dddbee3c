"""One format for journals, paid answers and recordings: every text survives, unfit files and bad disks are one line."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgebias.backends.base import (
    Backend,
    Generation,
    GenerationRequest,
    GenerationSettings,
    Message,
    OptionRequest,
    OptionScores,
    Prompt,
)
from edgebias.backends.endpoint.budget import Budget, Price, Spending
from edgebias.backends.registry import open_backend
from edgebias.backends.store.journal import Journal
from edgebias.backends.store.journaled import JournaledBackend
from edgebias.backends.store.paid_answers import PaidAnswers, content_key
from edgebias.backends.store.recorded import RecordedBackend, RecordingBackend, request_key
from edgebias.core.errors import InputError

KEY = content_key("http://x/v1", {"model": "m"}, 0)
COST = Spending(1, 10, 4, None)
GREEDY = GenerationSettings(4)
TEXTS = (
    "a\u2028b\u2029c\x85d",
    "\x0b\x0c\x1c\x1d\x1e\r\n\r",
    "\0 a NUL \0",
    "\ud800",
    "\udcff\ud83d",
    "\ud83d\ude00",  # two halves are no whole
    "\U0001f600",
    "\ufeffB",
    "",
    '"}\n{"key": "x"}',
    "\\u2028 \\n",
    "\u202eB\u202c\u200b",
    "ée\u0301",
    "B" * 1_000_000,
)
"""Replies that line-wise or text-wise stores lose, split or change."""


class Scripted(Backend):
    """Writes the texts that it is given, each with scores."""

    name = "scripted"
    scores_options = True

    def __init__(self, texts: Sequence[str], scores: OptionScores | None = None) -> None:
        self.texts, self.scores = texts, scores

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        for _ in requests[skip:]:
            yield self.scores or OptionScores((), ())

    def generate(
        self, requests: Sequence[GenerationRequest], settings: GenerationSettings, *, skip: int = 0
    ) -> Iterator[Generation]:
        for text in self.texts[skip : len(requests)]:
            yield Generation(text, 3, self.scores)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: the disk is waited for at each opening."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def through_journal(path: Path, texts: Sequence[str], scores: OptionScores | None) -> list[Generation]:
    path.unlink(missing_ok=True)
    for model in (Scripted(texts, scores), Scripted([])):  # the second time from the file alone
        with Journal(path, "one") as journal:
            answers = list(JournaledBackend(model, journal).generate(asked(texts), GREEDY))
    return answers


def through_recording(path: Path, texts: Sequence[str], scores: OptionScores | None) -> list[Generation]:
    with RecordingBackend(Scripted(texts, scores), path) as backend:
        list(backend.generate(asked(texts), GREEDY))
    replay = open_backend({"backend": "recorded", "store": str(path)}, {}, None)
    return list(replay.generate(asked(texts), GREEDY))


def through_json_lines(path: Path, texts: Sequence[str], scores: OptionScores | None) -> list[Generation]:
    lines = []
    for request, text in zip(asked(texts), texts, strict=True):
        told = None if scores is None else vars(scores)
        line = {"key": request_key(request, GREEDY), "text": text, "n_tokens": 3, "scores": told}
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    path.write_bytes("".join(lines).encode("utf-8", "surrogatepass"))
    return list(RecordedBackend(path).generate(asked(texts), GREEDY))


def asked(texts: Sequence[str]) -> list[GenerationRequest]:
    """A request for each text, which a conversation has shown to the model."""
    return [GenerationRequest(Prompt(messages=(Message("user", text),)), seed) for seed, text in enumerate(texts)]


Through = Callable[[Path, Sequence[str], OptionScores | None], list[Generation]]
STORES = [through_journal, through_recording, through_json_lines]


@pytest.mark.parametrize("through", STORES)
def test_a_reply_survives_whatever_is_in_it(through: Through, tmp_path: Path) -> None:
    """Line separators, NUL, halves of characters, a megabyte: text for text, code point for code point."""
    assert [answer.text for answer in through(tmp_path / "store", TEXTS, None)] == list(TEXTS)


any_text = st.text(st.characters(codec=None, exclude_categories=()))
logprobs = st.lists(st.floats(), min_size=1, max_size=4).map(tuple)


@pytest.mark.parametrize("through", STORES)
@settings(max_examples=25)
@given(texts=st.lists(any_text, min_size=2, max_size=4), values=logprobs)
@example(texts=["", "\u2028"], values=(float("nan"), float("-inf"), -0.0, 5e-324, -0.1 - 0.2))
def test_texts_and_log_probabilities_come_back_bit_for_bit(
    through: Through, folder: Path, texts: list[str], values: tuple[float, ...]
) -> None:
    tokens = tuple(range(len(values)))
    scores = OptionScores(values, tokens, (tokens, ()), (values, ()))
    answers = through(folder / f"{through.__name__}", texts, scores)
    assert repr(answers) == repr([Generation(text, 3, scores) for text in texts])


@settings(max_examples=25)
@given(response=any_text)
@example(response="\u2028\x85\0\ud800")
def test_a_paid_response_comes_back_as_it_came(folder: Path, response: str) -> None:
    (folder / "paid").unlink(missing_ok=True)
    for _ in range(2):
        store = PaidAnswers(folder / "paid", Budget(), {})
        if store.find(KEY) is None:
            assert store.keep(store.reserve(KEY, "m", COST), KEY, "{}", response, None) == response
        assert store.find(KEY) == response
        store.close()


def test_an_answer_that_was_acknowledged_is_never_lost_by_a_kill(tmp_path: Path) -> None:
    program = "import itertools, sys; from pathlib import Path\n"
    program += "from edgebias.backends.endpoint.budget import Budget, Spending\n"
    program += "from edgebias.backends.store.paid_answers import PaidAnswers\n"
    program += "store = PaidAnswers(Path(sys.argv[1]), Budget(), {})\n"
    program += "for number in itertools.count(int(sys.argv[2])):\n"
    program += "    ticket = store.reserve(f'{number:064}', 'm', Spending(1, 1, 1, None))\n"
    program += "    store.keep(ticket, f'{number:064}', '{}', f'answer {number}', None)\n"
    program += "    print(number, flush=True)\n"
    told = []
    for kill in range(3):
        command = [sys.executable, "-c", program, str(tmp_path / "paid"), str(1000 * kill)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told += [int(process.stdout.readline()) for _ in range(5 + 9 * kill)]
            process.kill()
            told += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    store = PaidAnswers(tmp_path / "paid", Budget(), {})
    assert [store.find(f"{number:064}") for number in told] == [f"answer {number}" for number in told]
    store.close()
    with closing(sqlite3.connect(tmp_path / "paid")) as database:
        ((under_way,),) = database.execute("SELECT COUNT(*) FROM ledger WHERE state = 'sent'")
    assert under_way <= 3


def test_answers_that_were_paid_in_the_first_format_are_not_paid_again(tmp_path: Path) -> None:
    path = tmp_path / "paid"
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(
            "CREATE TABLE answers (key TEXT PRIMARY KEY, request TEXT NOT NULL, response TEXT NOT NULL) WITHOUT ROWID;"
            "CREATE TABLE ledger (ticket INTEGER PRIMARY KEY, key TEXT NOT NULL, model TEXT NOT NULL,"
            " state TEXT NOT NULL CHECK (state IN ('sent', 'answered', 'lost')), prompt_tokens INTEGER NOT NULL,"
            " generated_tokens INTEGER NOT NULL, usd REAL);"
            "PRAGMA user_version = 1"
        )
        database.execute("INSERT INTO answers VALUES (?, '{}', 'é\u2028')", (KEY,))
        database.execute("INSERT INTO ledger VALUES (1, ?, 'm', 'answered', 10, 4, NULL)", (KEY,))
    for _ in range(2):
        store = PaidAnswers(path, Budget(usd=1.0), {"m": Price(1.0, 1.0)})
        assert store.find(KEY) == "é\u2028"
        store.close()


@pytest.mark.parametrize("tokens", [2**63, 10**400, 2**53])
def test_a_count_that_no_endpoint_can_mean_leaves_the_reserved_cost(tmp_path: Path, tokens: int) -> None:
    store = PaidAnswers(tmp_path / "paid", Budget(), {})
    assert store.keep(store.reserve(KEY, "m", COST), KEY, "{}", "B", Spending(1, tokens, tokens, None)) == "B"
    store.close()
    with closing(sqlite3.connect(tmp_path / "paid")) as database:
        assert database.execute("SELECT prompt_tokens, generated_tokens FROM ledger").fetchall() == [(10, 4)]


def make(kind: str, path: Path) -> None:
    """Make a small store of a kind."""
    match kind:
        case "journal":
            with Journal(path, "one") as journal:
                journal.keep("a", 0.0, "kept")
        case "response store":
            store = PaidAnswers(path, Budget(), {})
            store.keep(store.reserve(KEY, "m", COST), KEY, "{}", "paid answer", None)
            store.close()
        case "recording":
            with RecordingBackend(Scripted(["recorded answer"]), path) as backend:
                list(backend.generate(asked(["q"]), GREEDY))


def use(kind: str, path: Path) -> None:
    """Open a store of a kind and read its one answer."""
    match kind:
        case "journal":
            with Journal(path, "one") as journal:
                list(journal.recall("a"))
        case "response store":
            with closing(PaidAnswers(path, Budget(), {})) as store:
                store.find(KEY)
        case "recording":
            list(RecordedBackend(path).generate(asked(["q"]), GREEDY))


KINDS = ("journal", "response store", "recording")


@pytest.mark.parametrize("made", KINDS)
@pytest.mark.parametrize("used", KINDS)
def test_a_store_of_another_kind_is_refused_and_left_alone(made: str, used: str, tmp_path: Path) -> None:
    """A journal that starts afresh must never empty a file of paid answers that has its name."""
    make(made, tmp_path / "store")
    if made == used:
        use(used, tmp_path / "store")
        return
    before = (tmp_path / "store").read_bytes()
    with pytest.raises(InputError, match=f"is no {used} but a {made}; choose another file") as caught:
        use(used, tmp_path / "store")
    assert "\n" not in str(caught.value)
    assert (tmp_path / "store").read_bytes() == before


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def zeroed(data: bytes) -> bytes:
    return data[:4096] + bytes(len(data) - 4096)


def flipped(data: bytes) -> bytes:
    place = max(data.find(b"paid answer"), data.find(b"recorded answer"))
    return data[:place] + b"X" + data[place + 1 :]


def newer(data: bytes) -> bytes:
    return data[:60] + (3).to_bytes(4, "big") + data[64:]


def text(data: bytes) -> bytes:
    return b"my notes, which are longer than the header of a database\n" * 20


def pointer(data: bytes) -> bytes:
    return b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 20480\n"


@pytest.mark.parametrize("kind", ["response store", "recording"])
@pytest.mark.parametrize("damage", [cut, zeroed, flipped, newer, text, pointer])
def test_a_damaged_or_unfit_file_is_one_line_and_left_alone(
    kind: str, damage: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "store"
    make(kind, path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with pytest.raises(InputError, match=rf"{path}.*(is damaged|is no ).*; (restore|choose|record)") as caught:
        use(kind, path)
    assert "\n" not in str(caught.value)
    if damage is not zeroed:  # SQLite may have noted that it opened this one
        assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "answer",
    [
        {"text": 5, "n_tokens": 1},
        {"text": None, "n_tokens": 1},
        {"text": "B"},
        {"text": "B", "n_tokens": "many"},
        {"text": "B", "n_tokens": float("inf")},
        {"text": "B", "n_tokens": 1, "scores": {"logprobs": "abc", "n_tokens": [1]}},
        {"text": "B", "n_tokens": 1, "scores": {"logprobs": [None], "n_tokens": [1]}},
        {"text": "B", "n_tokens": 1, "scores": [1]},
        {"logprobs": [0.0], "n_tokens": [1]},
    ],
)
def test_a_shared_recording_with_something_else_in_it_is_one_line(answer: dict[str, Any], tmp_path: Path) -> None:
    key = request_key(asked(["q"])[0], GREEDY)
    (tmp_path / "store").write_text(json.dumps({"key": key, **answer}))
    with pytest.raises(InputError, match="is no recorded answer; record again"):
        use("recording", tmp_path / "store")


@pytest.mark.parametrize("line", ["{}", "[1]", "5", "null", '{"key": {}}', '{"key"', "[" * 100_000])
def test_a_line_that_is_no_answer_is_named(line: str, tmp_path: Path) -> None:
    good = json.dumps({"key": "k", "text": "a\u2028b", "n_tokens": 1}, ensure_ascii=False)
    (tmp_path / "store").write_text(f"{good}\n\n{line}\n", newline="\r\n")
    with pytest.raises(InputError, match="line 3 is no recorded answer"):
        RecordedBackend(tmp_path / "store")


def test_a_recording_is_one_file_of_stable_bytes_that_a_read_only_folder_holds(tmp_path: Path) -> None:
    for name in ("first", "second"):
        with RecordingBackend(Scripted(TEXTS), tmp_path / name / "answers.sqlite") as backend:
            list(backend.generate(asked(TEXTS), GREEDY))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(path.parent.name for path in files) == ["first", "second"]
    assert len({path.read_bytes() for path in files}) == 1
    (tmp_path / "first").chmod(0o500)
    assert len(list(RecordedBackend(files[0]).generate(asked(TEXTS), GREEDY))) == len(TEXTS)
    (tmp_path / "first").chmod(0o700)


def test_a_recording_that_breaks_off_leaves_the_one_before(tmp_path: Path) -> None:
    make("recording", tmp_path / "store")
    before = (tmp_path / "store").read_bytes()
    with RecordingBackend(Scripted(["other"]), tmp_path / "store") as backend:
        list(backend.generate(asked(["q"]), GREEDY))
        backend.__exit__(ValueError, ValueError(), None)
        assert (tmp_path / "store").read_bytes() == before


PLACES = {"a folder": "folder", "below a file": "file/store", "no such place": "/proc/nowhere/store"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_takes_no_file_is_one_line(kind: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot be (opened|read) \(.*\); ") as caught:
        use(kind, tmp_path / PLACES[place])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a'b\"c.sqlite", "a?b#c%20d.sqlite", "ä ö {x} [1].sqlite", "-", ":memory:"])
@pytest.mark.parametrize("kind", KINDS)
def test_any_name_of_a_file_is_a_name_of_a_file(
    kind: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make(kind, Path(name))
    use(kind, Path(name))
    assert (tmp_path / name).stat().st_size > 0


@pytest.fixture(scope="module")
def failing_disk(folder: Path) -> Path:
    """A library that gives SQLite the answers of a failing disk."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler on Linux")
    library = folder / "failing_disk.so"
    source = Path(__file__).with_name("failing_disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True)
    return library


@pytest.mark.parametrize("kind", ["journal", "response store"])
@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no locks", "cannot be locked (...); use a local disk, whose file system has locks"),
        ("no room", "finds no room on its disk (...); free space and run again: what it holds is kept"),
        ("read-only", "cannot be (opened|written) (...); choose a writable (file|folder)"),
    ],
)
def test_a_disk_that_fails_is_one_line_and_loses_nothing(
    fault: str, words: str, kind: str, exists: bool, failing_disk: Path, tmp_path: Path
) -> None:
    """The calls of the operating system fail as on a full disk, a read-only one, and a folder of a network."""
    program = "import sys; from pathlib import Path; from edgebias.core.errors import run_stage\n"
    program += f"sys.path.insert(0, {str(Path(__file__).parent)!r}); from test_answer_store import make\n"
    program += "run_stage(lambda argv: make(argv[0], Path(argv[1])), sys.argv[1:])"
    path = tmp_path / "store"
    if exists:
        make(kind, path)
    variables = {"LD_PRELOAD": str(failing_disk), "FAILING_DISK": fault, "FAILING_FOLDER": str(tmp_path)}
    ran = subprocess.run(
        [sys.executable, "-c", program, kind, str(path)],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    (line,) = [line for line in ran.stderr.splitlines() if "goes on after" not in line]
    label = "" if kind == "journal" else "store: "
    pattern = words.replace("(...)", r"\(.*\)")
    assert re.match(rf"error: {label}{path}(\.lock)? {pattern}", line), line
    if exists:
        use(kind, path)
