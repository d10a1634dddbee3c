"""A base model has no chat template: a study that asks letters of it is told at once, and can go without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from gguf import GGUFWriter

from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.infer.cell import formats_of, read_cell
from edgebias.study import PARAMS, Study, read_study
from edgebias.workflow.needs import check_models_chat, needs_of

model_formats = command("model-formats")
INFER = {"formats": {"bbq": ["likelihood", "letter"], "bold": ["continuation"], "winobias": ["letter", "open"]}}
EDGE = {"backend": "llama", "threads": 1, "memory_mb": 4096, "context": 256}


def write_gguf(path: Path, template: str | None) -> Path:
    """A file that is a model by its header, with a chat template or none."""
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(512)
    if template is not None:
        writer.add_chat_template(template)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def study_of(folder: Path, weights: Path, formats: dict[str, list[str]], **more: Any) -> Study:
    """A study of one local file; ``more`` goes into the model's entry, or by `study_` and `robustness_` into these."""
    cell = {"environment": "edge", "model": "base", "variant": "full"}
    own = {"rounds": [], "robustness": [], "layer_probes": [], "methods": []}
    own |= {key.removeprefix("study_"): more.pop(key) for key in [*more] if key.startswith("study_")}
    cells = [{"environment": "edge", "model": "base", "variants": ["full"], "suites": [*formats]}]
    builds = dict.fromkeys(("edge_build", "desktop_build", "cloud_build"), cell)
    overlay = {
        "study": {"suites": [*formats], "cells": cells, **builds, **own},
        "models": {"base": {"source": {"file": str(weights)}, **more}},
        "infer": {"formats": formats},
    }
    path = folder / "base.yaml"
    path.write_text(yaml.safe_dump(overlay), encoding="utf-8")
    return read_study(overlays=[path])


def check(folder: Path, weights: Path, *asked: str) -> dict[str, Any]:
    output = folder / "found.json"
    flags = [part for key in asked for part in ("--asked", key)]
    settings = json.dumps({"models.base": {}})
    model_formats(["--settings", settings, "--weights", str(weights), "--output", str(output), *flags])
    found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize(
    ("template", "reason"), [(None, "no chat template"), ("", "no chat template"), ("{{", "Jinja2")]
)
def test_right_after_the_fetch_a_study_that_asks_letters_is_told(
    template: str | None, reason: str, tmp_path: Path
) -> None:
    """One line names the model, the formats that ask so, and the way out."""
    weights = write_gguf(tmp_path / "base.gguf", template)
    with pytest.raises(InputError, match=rf"models\.base: .*{reason}.*infer\.formats\.bbq.*models\.base\.chat: false"):
        check(tmp_path, weights, "infer.formats.bbq", "study.rounds")
    assert not (tmp_path / "found.json").exists()
    assert check(tmp_path, weights) == {"chat_template": bool(template), "asked": []}


def test_an_instruction_tuned_model_passes(tmp_path: Path) -> None:
    """And what was found is kept."""
    weights = write_gguf(tmp_path / "chat.gguf", "{{ messages[0].content }}")
    assert check(tmp_path, weights, "infer.formats.bbq") == {"chat_template": True, "asked": ["infer.formats.bbq"]}


@pytest.mark.parametrize("suite", ["bbq", "winobias", "winogender", "forced_choice"])
@pytest.mark.parametrize("name", ["letter", "option_text", "open"])
def test_a_local_file_is_looked_at_before_anything_runs(suite: str, name: str, tmp_path: Path) -> None:
    """While the study is read, and by `edgebias plan`."""
    weights = write_gguf(tmp_path / "base.gguf", None)
    study = study_of(tmp_path, weights, {suite: ["likelihood", name]})
    with pytest.raises(InputError, match=rf"no chat template.*infer\.formats\.{suite}"):
        check_models_chat(study)
    missing = [need.missing for need in needs_of(study) if "chat template" in need.what]
    assert len(missing) == 1
    assert "chat: false" in missing[0]


def test_with_chat_false_the_other_formats_are_asked(tmp_path: Path) -> None:
    """And nothing else: suites with no format left are not asked at all."""
    weights = write_gguf(tmp_path / "base.gguf", None)
    study = study_of(tmp_path, weights, {"bbq": ["likelihood", "letter"], "winobias": ["letter"]}, chat=False)
    check_models_chat(study)
    assert [study.suites_of(cell) for cell in study.cells] == [["bbq"]]
    assert study.asks_in_chat("base") == []
    cell = read_cell({"seed": 1, "infer": INFER, "environments.edge": EDGE, "models.base": {"chat": False}})
    assert formats_of("bbq", cell.formats, cell.model) == ["likelihood"]
    assert formats_of("bold", cell.formats, cell.model) == ["continuation"]
    with pytest.raises(InputError, match=r"winobias: letter, open ask in chat turns.*likelihood"):
        formats_of("winobias", cell.formats, cell.model)


def test_likelihoods_alone_need_no_key(tmp_path: Path) -> None:
    """A study that asks no letters is as it was."""
    study = study_of(
        tmp_path, write_gguf(tmp_path / "base.gguf", None), {"bbq": ["likelihood"], "stereoset": ["likelihood"]}
    )
    check_models_chat(study)
    assert study.asks_in_chat("base") == []


def test_rounds_of_a_model_without_chat_are_refused(tmp_path: Path) -> None:
    """They are conversations."""
    weights = write_gguf(tmp_path / "base.gguf", None)
    rounds = [{"environment": "edge", "model": "base", "variant": "full"}]
    with pytest.raises(InputError, match=r"study\.rounds\[0\] asks in chat turns.*chat: false"):
        study_of(tmp_path, weights, {"forced_choice": ["likelihood"]}, chat=False, study_rounds=rounds)
    with pytest.raises(InputError, match=r"study\.robustness\[0\] \(robustness\.templates has letter_chat_v1\)"):
        study_of(tmp_path, weights, {"bbq": ["likelihood"]}, chat=False, study_robustness=rounds)


def test_a_file_that_cannot_be_read_is_left_to_its_job(tmp_path: Path) -> None:
    """So that a broken download can be fetched again."""
    (tmp_path / "base.gguf").write_bytes(b"GGUF and then nothing")
    check_models_chat(study_of(tmp_path, tmp_path / "base.gguf", {"bbq": ["letter"]}))


def test_the_default_study_needs_a_chat_template() -> None:
    """Its model has one; the check knows by which parameters it is asked."""
    assert PARAMS.is_file()
    asked = read_study().asks_in_chat("smollm2-135m-instruct")
    assert {"infer.formats.bbq", "study.rounds", "robustness.templates"} <= set(asked)
