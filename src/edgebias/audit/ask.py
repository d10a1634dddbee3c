"""Ask one build, in a process of its own: ``python -m edgebias.audit.ask JOB.json``.

So it has a peak of memory of its own, gives all of it back, and takes nothing with it where it is killed. Its answers
outlast it: a job that is run again goes on after them.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgebias.audit.control import ask_control
from edgebias.audit.divergence import compare_text, write_text
from edgebias.backends.local.memory_limit import peak_memory_mb
from edgebias.backends.registry import BACKENDS, kind_of, open_backend
from edgebias.backends.store.identity import job_identity
from edgebias.backends.store.journal import Journal
from edgebias.backends.store.journaled import JournaledBackend
from edgebias.core.errors import InputError, run_stage
from edgebias.core.files import read_json, read_table, write_json
from edgebias.infer.alone import speed_alone
from edgebias.infer.answer import AnswerSettings, answer_items
from edgebias.infer.cost import cost_record, new_stopwatch
from edgebias.infer.responses import write_responses
from edgebias.models.perplexity import neutral_sentences
from edgebias.suites.formats import LIKELIHOOD_CHAT
from edgebias.suites.identities import SUITE_OF
from edgebias.suites.item import Item, read_items
from edgebias.suites.registry import SUITES

MAX_NEW_TOKENS = 8
"""Of a letter, as in the default study."""

COST, CONTROL, TEXT, CODES = "cost.json", "control.parquet", "text.parquet", "text.codes"


@dataclass(frozen=True)
class Job:
    """What one process does.

    Attributes:
        weights: the file; empty for an endpoint.
        identity: of everything that decides its answers (`identity_of`).
        folder: where its answers go.
        items: one table for each suite.
        control: the questions of the control; empty where it is not asked.
        formats: in which it is asked.
        environment: an entry of ``environments``.
        model: an entry of ``models``: the start token, or the endpoint's name of the model.
        text: the file of the fixed text; empty for an endpoint, which tells no probabilities.
        tokens: how many of it.
        against: the folder of the reference's answers; that of this build itself where it is the reference.
        seed: recorded with every answer.
    """

    weights: str
    identity: str
    folder: str
    items: Sequence[str]
    control: str
    formats: Sequence[str]
    environment: dict[str, Any]
    model: dict[str, Any]
    text: str
    tokens: int
    against: str
    seed: int

    @property
    def answers(self) -> tuple[Path, ...]:
        """The tables of answers, one for each format."""
        return tuple(Path(self.folder) / f"{name}.parquet" for name in self.formats)

    @property
    def control_answers(self) -> Path:
        """The answers to the control."""
        return Path(self.folder) / CONTROL

    @property
    def cost(self) -> Path:
        """What answering cost: written last, so that all answers are there where it is."""
        return Path(self.folder) / COST

    @property
    def text_table(self) -> Path:
        """The tokens of the fixed text, compared with the reference."""
        return Path(self.folder) / (TEXT if self.against == self.folder else f"{Path(self.against).name}-{TEXT}")

    @property
    def codes(self) -> Path:
        """The reference's probabilities on the fixed text."""
        return Path(self.against) / CODES

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        written = self.cost.is_file() and (not self.text or self.text_table.is_file())
        return written and (self.against != self.folder or self.codes.is_file())


def identity_of(
    sha256: str,
    formats: Sequence[str],
    environment: Mapping[str, Any],
    model: Mapping[str, Any],
    items: Sequence[Path],
    tokens: int,
) -> str:
    """Hash everything that decides a build's answers: its bytes, whatever its file is called, and not its threads."""
    settings = {
        "sha256": sha256,
        "formats": list(formats),
        "tokens": tokens,
        "environment": {key: value for key, value in environment.items() if key != "threads"},
        "model": dict(model),
    }
    kind = kind_of(environment)
    entries = [BACKENDS.module(kind.name)]
    return job_identity(__name__, settings, libraries=kind.libraries, files=items, weights=None, entries=entries)


def run_job(job: Job) -> None:
    """Start the process of ``job`` and wait for it; an error that it printed ends this process with its status.

    Raises:
        InputError: it was killed.
    """
    path = Path(job.folder) / "job.json"
    write_json(asdict(job), path)
    status = subprocess.run([sys.executable, "-m", __name__, str(path)], check=False).returncode
    if status < 0:
        raise InputError(
            f"{job.weights or job.model}: its process was killed (signal {-status}), perhaps for want of memory; "
            "run again: it goes on after the answers that are kept"
        )
    if status:
        raise SystemExit(status)


def main(arguments: Sequence[str] | None) -> None:
    """Do what the job file says."""
    job = Job(**read_json(Path((arguments or sys.argv[1:])[0])))
    with open_backend(job.environment, job.model, Path(job.weights) if job.weights else None) as backend:
        if not job.cost.is_file():
            _answer(job, backend)
        if not job.done:
            sentences = neutral_sentences(Path(job.text), "perplexity")
            measure: Any = write_text if job.against == job.folder else compare_text
            measure(backend, sentences, job.tokens, job.codes, job.text_table)


def _answer(job: Job, backend: Any) -> None:
    items = [item for path in job.items for item in read_items(Path(path))]
    with Journal(Path(job.folder) / "answers.journal", job.identity) as journal:
        model, watch = JournaledBackend(backend, journal), new_stopwatch(journal)
        settings = AnswerSettings(job.seed, MAX_NEW_TOKENS)
        for name, path in zip(job.formats, job.answers, strict=True):
            write_responses(answer_items(model, asked_in(name, items), [name], settings, stopwatch=watch), path)
        if job.control:
            with watch.timing("control", len(read_table(Path(job.control), ["item_id"]))):
                ask_control(model, Path(job.control), job.control_answers)
        spent = cost_record(
            model,
            watch,
            environment=job.environment,
            weights=Path(job.weights) if job.weights else None,
            skipped={},
            peak_memory_mb=peak_memory_mb(),
            journal=journal,
        )
        spent["alone"] = speed_alone(backend, asked_in(job.formats[-1], items), job.formats, job.environment)
        write_json(spent, job.cost)
        journal.remove(*job.answers, job.cost)


def asked_in(form: str, items: Sequence[Item]) -> list[Item]:
    """Return the items that are asked in a format."""
    return [item for item in items if asks_in(form, item.suite)]


def asks_in(form: str, suite: str) -> bool:
    """Return whether a suite is asked in a format: those of who asks in `LIKELIHOOD_CHAT` alone, others never in it."""
    return form in SUITES.get(suite).formats and (form == LIKELIHOOD_CHAT) == (suite in SUITE_OF.values())


if __name__ == "__main__":
    run_stage(main)
