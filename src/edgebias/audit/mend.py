"""Learn a control vector for a build, judge it on held-out items, and pack it with its card.

The stages are those of a study, one after the other, each as its own command: a step whose files are there is not run
again. Preferences come from StereoSet alone, as in the default study; half of its target terms are held out. BBQ is
asked beside it, to see what the vector does to questions.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebias import config
from edgebias.audit.plan import CONTEXT, SEED, Build
from edgebias.backends.registry import BACKENDS
from edgebias.core.code_hash import code_hash
from edgebias.core.errors import InputError
from edgebias.core.files import read_json, read_table, write_json
from edgebias.mitigate.overall import overall_reductions, overall_scores
from edgebias.mitigate.preserved_texts import NEUTRAL_TEXT, PERPLEXITY_RISE
from edgebias.mitigate.reductions import MITIGATION_COLUMNS
from edgebias.mitigate.registry import FEEDBACK_LOOP, METHODS, NONE
from edgebias.mitigate.steering.directions import LEARNED
from edgebias.models import neutral_text
from edgebias.report.findings import ALPHA
from edgebias.report.numbers import number, p_value
from edgebias.report.table import score_text
from edgebias.suites.formats import LIKELIHOOD
from edgebias.suites.registry import SUITES

SUITE, METRIC = "stereoset", "ss"
ASKED = (SUITE, "bbq")
VECTOR, CARD, SETTINGS = "control_vector.gguf", "model_card.md", "settings.json"

CODE = (
    *("items", "reference_answers", "directions", "shipped_directions", "fit_feedback_loop", "mitigate"),
    "control_vector_card",
)
"""Stages whose code decides what a folder of steps holds, beside the entries of registries that they open by name."""


@dataclass(frozen=True)
class Step:
    """A command of a study's stage.

    Attributes:
        title: what a reader sees while it runs.
        arguments: of ``edgebias``.
        outputs: its files.
    """

    title: str
    arguments: tuple[str, ...]
    outputs: tuple[Path, ...]

    @property
    def done(self) -> bool:
        """Whether it was run to its end: stages write their files whole."""
        return all(path.is_file() for path in self.outputs)


@dataclass(frozen=True)
class Mended:
    """Where the vector and its card are, and what it did to held-out items, as a sentence."""

    vector: Path
    card: Path
    verdict: str


def check_mendable(build: Build, reference: Build) -> None:
    """Check that a build can be steered, before anything long begins.

    Raises:
        InputError: it is behind an endpoint, or the reference has no chat template and so answers no everyday request.
    """
    if build.remote:
        raise InputError(f"--mend: {build.path} is an endpoint, whose layers are out of reach; name a GGUF file")
    if reference.template:
        raise InputError(
            f"--mend: {reference.name} answers no everyday request, which steering is held to ({reference.template}); "
            "name an instruction model"
        )


def mend(
    build: Build, reference: Build, settings: Mapping[str, Any], *, raw: Path, folder: Path, target: Path
) -> Mended:
    """Run the steps that are not done, copy vector and card to ``target``, and say what the vector does.

    Args:
        build: what is steered.
        reference: whose answers to everyday requests steering is held to.
        settings: what `settings_of` returns.
        raw: published files.
        folder: keeps the steps of this build, reference, code and settings.
        target: folder that receives the vector and its card.
    """
    key = json.dumps([build.sha256, reference.sha256, code_hash(*modules()), settings], sort_keys=True)
    own = folder / hashlib.sha256(key.encode()).hexdigest()[:16]
    write_json(settings, own / SETTINGS)
    todo = [step for step in steps(settings, build, reference, raw, own) if not step.done]
    for place, step in enumerate(todo, start=1):
        print(f"mend: {build.name}: {step.title}, {place} of {len(todo)}", file=sys.stderr)
        _run(step)
    target.mkdir(parents=True, exist_ok=True)
    for name in (VECTOR, CARD, "cost.json"):
        shutil.copyfile(own / FEEDBACK_LOOP / name, target / name)
    return Mended(target / VECTOR, target / CARD, verdict(own))


def modules() -> tuple[str, ...]:
    """Return the modules that the steps run; code of others makes no step stale."""
    suites = [SUITES.get(name) for name in ASKED]
    return (
        *(f"edgebias.stages.{stage}" for stage in CODE),
        BACKENDS.module("llama"),
        *(METHODS.module(name) for name in (NONE, FEEDBACK_LOOP)),
        *(module for suite in suites for module in (SUITES.module(suite.name), suite.items, suite.metrics)),
    )


def settings_of(
    build: Build, reference: Build, threads: int, start_token: str | None, overlay: Path | None = None
) -> dict[str, Any]:
    """Return the sections of params.yaml that the steps read: those of the default study, but for the environment.

    Args:
        build: what is steered.
        reference: the other model that is loaded.
        threads: of the engine.
        start_token: what a sentence without context follows.
        overlay: a file to be laid over params.yaml.
    """
    default = config.load(config.PROJECT / "params.yaml", *([overlay] if overlay else []))
    context = min(CONTEXT, build.trained, reference.trained)
    formats = {suite: [LIKELIHOOD] for suite in ASKED}
    return {
        "seed": SEED,
        "environments.edge": {"backend": "llama", "threads": threads, "context": context},
        "models.build": {"start_token": start_token},
        "infer": default["infer"] | {"formats": formats},
        "mitigate": default["mitigate"] | {"suites": [SUITE]},
        "prompts.calibration_share": default["prompts"]["calibration_share"],
        **{f"prompts.{suite}": default["prompts"][suite] for suite in ASKED},
    }


def steps(settings: Mapping[str, Any], build: Build, reference: Build, raw: Path, folder: Path) -> tuple[Step, ...]:
    """Return all steps in their order."""
    items, answers, texts = folder / "items", folder / "reference_answers.parquet", raw / neutral_text.PATH
    given = ("--settings", str(folder / SETTINGS))
    shared = ("--items-folder", str(items), "--texts", str(texts), "--answers", str(answers))
    weights = ("--weights", build.path)
    found = [
        Step(
            f"items of {suite}",
            ("items", *given, "--suite", suite, "--raw-folder", str(raw), "--output", str(items / f"{suite}.parquet")),
            (items / f"{suite}.parquet",),
        )
        for suite in ASKED
    ]
    found.append(
        Step(
            "answers of the reference to everyday requests",
            ("reference-answers", *given, "--weights", reference.path, "--answers", str(answers)),
            (answers,),
        )
    )
    without = []
    for fold in range(1, settings["mitigate"]["folds"] + 1):
        own = folder / "directions" / f"all_but_fold_{fold}"
        without.append(own / VECTOR)
        found.append(
            Step(
                f"vectors learned without fold {fold}",
                (
                    *("directions", *given, "--source", LEARNED, "--fitted-on", own.name, *shared, *weights),
                    *("--control-vector", str(own / VECTOR), "--training", str(own / "training.csv")),
                ),
                (own / VECTOR, own / "training.csv"),
            )
        )
    mean = folder / "directions" / "mean_of_folds" / VECTOR
    repeated = tuple(word for path in without for word in ("--directions-without", str(path)))
    loop = folder / FEEDBACK_LOOP
    found.append(
        Step(
            "their mean",
            ("shipped-directions", *weights, *repeated, "--control-vector", str(mean)),
            (mean,),
        )
    )
    found.append(
        Step(
            "the feedback loop on calibration items",
            (
                *("fit-feedback-loop", *given, *shared, *weights, "--directions", str(mean), *repeated),
                *("--control-vector", str(loop / VECTOR), "--trajectory", str(loop / "trajectory.csv")),
                *("--state", str(loop / "state.json")),
            ),
            (loop / VECTOR, loop / "trajectory.csv", loop / "state.json"),
        )
    )
    for method, more in (
        (NONE, ()),
        (
            FEEDBACK_LOOP,
            ("--baseline", str(folder / NONE / "responses.parquet"), "--control-vector", str(loop / VECTOR)),
        ),
    ):
        own = folder / method
        outputs = {name: own / name for name in ("responses.parquet", "scores.csv", "cost.json")}
        found.append(
            Step(
                f"held-out items with {method.replace('_', ' ')}",
                (
                    *("mitigate", *given, "--method", method, *shared, *weights, *more),
                    *("--responses", str(outputs["responses.parquet"]), "--scores", str(outputs["scores.csv"])),
                    *("--cost", str(outputs["cost.json"])),
                ),
                tuple(outputs.values()),
            )
        )
    found.append(
        Step(
            "the card of the vector",
            (
                *("control-vector-card", "--name", f"edge/{build.architecture}/{Path(build.path).stem}"),
                *("--state", str(loop / "state.json")),
                *("--before", str(folder / NONE / "scores.csv"), "--after", str(loop / "scores.csv")),
                *("--control-vector", str(loop / VECTOR), "--card", str(loop / CARD)),
            ),
            (loop / CARD,),
        )
    )
    return tuple(found)


def verdict(folder: Path) -> str:
    """Return what the vector does to held-out items, with intervals, and what it costs."""
    tables = [read_table(folder / method / "scores.csv", MITIGATION_COLUMNS) for method in (NONE, FEEDBACK_LOOP)]
    before, after = map(overall_scores, tables)
    was, now = before[SUITE, LIKELIHOOD, METRIC], after[SUITE, LIKELIHOOD, METRIC]
    removed = next(
        (one for one in overall_reductions(tables[1]) if (one.suite, one.format) == (SUITE, LIKELIHOOD)), None
    )
    rise = after[NEUTRAL_TEXT, LIKELIHOOD, PERPLEXITY_RISE]
    moved = (
        f"On held-out StereoSet sentences the score goes from {score_text(was)} to {score_text(now)}, ideal "
        f"{number(was.ideal)}."
    )
    if removed is None or not math.isfinite(removed.percent.estimate):
        share = "Whether that removes bias cannot be told: without the vector there was none beyond noise."
    else:
        beyond = removed.percent.low > 0 and removed.p_corrected < ALPHA
        share = (
            f"That removes {score_text(removed.percent)} % of the distance"
            f"{'' if beyond else ', which is not beyond doubt'} (corrected {p_value(removed.p_corrected)})."
        )
    ended = "" if read_json(folder / FEEDBACK_LOOP / "state.json")["converged"] else " The loop did not converge."
    return f"{moved} {share} Perplexity of neutral text changes by {score_text(rise)} %.{ended}"


def _run(step: Step) -> None:
    for path in step.outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
    status = subprocess.run(  # a process of its own: it gives all memory back
        [sys.executable, "-m", "edgebias", *step.arguments], check=False
    ).returncode
    if status < 0:
        raise InputError(
            f"--mend: {step.title}: its process was killed (signal {-status}), perhaps for want of memory; "
            "run again: it goes on with this step"
        )
    if status:  # of 1 a build server would read that a build is worse
        raise SystemExit(2)
