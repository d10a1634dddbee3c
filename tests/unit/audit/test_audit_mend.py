"""The steps by which a build is mended, and one small mending of the real model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from edgebias import config
from edgebias.audit.mend import CARD, VECTOR, check_mendable, mend, modules, settings_of, steps, verdict
from edgebias.audit.plan import Build, read_build
from edgebias.core.errors import InputError
from edgebias.mitigate.reductions import MITIGATION_COLUMNS
from edgebias.models import neutral_text

DATA = config.PROJECT / "data"
WEIGHTS = DATA / "models/smollm2-135m-instruct/full.gguf"
BUILD = Build("small.gguf", "/builds/small.gguf", "a" * 64, 100, "qwen2", "v", 10, "", 4096, "<s>")


def test_each_step_reads_what_an_earlier_one_wrote(tmp_path: Path) -> None:
    """Every path below the folder that a command names is an output of the step itself or of one before it."""
    settings = settings_of(BUILD, BUILD, 2, "<s>")
    found = steps(settings, BUILD, BUILD, tmp_path / "raw", tmp_path / "own")
    written = {str(tmp_path / "own" / "settings.json"), str(tmp_path / "own" / "items")}
    for step in found:
        written |= set(map(str, step.outputs))
        named = {word for word in step.arguments if word.startswith(str(tmp_path / "own"))}
        assert named <= written, step.title
        assert not step.done
    assert len(found) == 2 + 1 + settings["mitigate"]["folds"] + 2 + 2 + 1


def test_the_loop_is_fitted_to_sentences_and_asked_questions_by_likelihood() -> None:
    settings = settings_of(BUILD, replace(BUILD, trained=1024), 2, "<s>")
    assert settings["mitigate"]["suites"] == ["stereoset"]
    assert settings["infer"]["formats"] == {"stereoset": ["likelihood"], "bbq": ["likelihood"]}
    assert settings["environments.edge"] == {"backend": "llama", "threads": 2, "context": 1024}


@pytest.mark.parametrize(
    ("build", "reference", "message"),
    [
        (replace(BUILD, model="gpt", path="http://h/v1"), BUILD, "--mend: http://h/v1 is an endpoint"),
        (BUILD, replace(BUILD, template="it has no chat template"), "name an instruction model"),
    ],
)
def test_what_cannot_be_mended_is_refused_first(build: Build, reference: Build, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_mendable(build, reference)


def test_a_step_that_fails_does_not_look_like_a_build_that_is_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 1 is a finding; a crash of a step is not, and a kill says what to do."""

    def ended(status: int) -> None:
        monkeypatch.setattr("edgebias.audit.mend.subprocess.run", lambda *_, **__: SimpleNamespace(returncode=status))
        mend(BUILD, BUILD, settings_of(BUILD, BUILD, 2, "<s>"), raw=tmp_path, folder=tmp_path, target=tmp_path / "m")

    with pytest.raises(SystemExit) as left:
        ended(1)
    assert left.value.code == 2
    with pytest.raises(InputError, match=r"items of stereoset: its process was killed \(signal 9\)"):
        ended(-9)


def test_steps_are_stale_by_the_code_of_the_suites_and_methods_that_they_open() -> None:
    found = set(modules())
    assert {
        "edgebias.suites.stereoset.items",
        "edgebias.suites.bbq.metrics",
        "edgebias.mitigate.methods.feedback_loop",
    } <= found
    assert len(found) == len(modules())


def scores(folder: Path, method: str, rows: dict[tuple[str, str], tuple[float, float, float]], **more: Any) -> None:
    table = pd.DataFrame(
        [
            {"suite": suite, "format": "likelihood", "category": "all", "metric": metric, "ideal": 50.0}
            | {"estimate": estimate, "low": low, "high": high, "headroom": "", "family": "", "reason": ""}
            | more
            for (suite, metric), (estimate, low, high) in rows.items()
        ]
    ).reindex(columns=list(MITIGATION_COLUMNS))
    (folder / method).mkdir()
    table.to_csv(folder / method / "scores.csv", index=False, na_rep="NaN")


@pytest.mark.parametrize(
    ("low", "percent", "p", "converged", "said", "unsaid"),
    [
        (2.0, 60.0, 0.01, True, "removes 60 [40, 80] % of the distance (corrected", "beyond doubt"),
        (2.0, 60.0, 0.2, True, "of the distance, which is not beyond doubt (corrected p = 0.2", "converge"),
        (float("nan"), 60.0, 0.01, True, "cannot be told", "beyond doubt"),
        (2.0, 60.0, 0.01, False, "The loop did not converge.", "beyond doubt"),
    ],
    ids=["removed", "uncertain", "nothing to remove", "not converged"],
)
def test_the_verdict_claims_what_held_out_items_show(
    tmp_path: Path, low: float, percent: float, p: float, converged: bool, said: str, unsaid: str
) -> None:
    text = ("neutral_text", "perplexity_rise")
    scores(tmp_path, "none", {("stereoset", "ss"): (62.0, 58.0, 66.0), text: (0.0, 0.0, 0.0)})
    rows = {("stereoset", "ss"): (55.0, 51.0, 59.0), text: (1.0, 0.5, 1.5)}
    rows |= {("stereoset", "reduction"): (7.0, low, 12.0)}
    rows |= {("stereoset", "relative_reduction"): (percent, percent - 20.0, percent + 20.0)}
    scores(tmp_path, "feedback_loop", rows, p_corrected=p)
    (tmp_path / "feedback_loop/state.json").write_text(json.dumps({"converged": converged}), encoding="utf-8")
    found = verdict(tmp_path)
    assert "goes from 62 [58, 66] to 55 [51, 59], ideal 50." in found
    assert said in found
    assert unsaid not in found


@pytest.mark.model
@pytest.mark.skipif(not WEIGHTS.exists(), reason="the full-precision model is absent: run `make data`")
def test_a_real_build_gets_a_vector_with_its_card_and_is_not_learned_twice(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Learning and loop at smoke size; the second call runs no step and says the same."""
    build = read_build(WEIGHTS, "full.gguf")
    settings = settings_of(build, build, 1, "<|endoftext|>", config.PROJECT / "config/smoke.yaml")
    raw = DATA / "raw/benchmarks"
    assert (raw / neutral_text.PATH).is_file()

    def run() -> str:
        return mend(build, build, settings, raw=raw, folder=tmp_path / "own", target=tmp_path / "mended").verdict

    first = run()
    assert "On held-out StereoSet sentences the score goes from" in first
    card = (tmp_path / "mended" / CARD).read_text(encoding="utf-8")
    assert card.startswith("# Control vector of llama, full")
    assert (tmp_path / "mended" / VECTOR).stat().st_size > 1000
    capfd.readouterr()
    assert run() == first
    assert "mend:" not in capfd.readouterr().err
