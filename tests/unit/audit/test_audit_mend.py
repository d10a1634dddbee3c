"""The steps by which a build is mended, and one small mending of the real model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgebias import config
from edgebias.audit.mend import CARD, VECTOR, check_mendable, mend, settings_of, steps
from edgebias.audit.plan import Build, read_build
from edgebias.core.errors import InputError
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
