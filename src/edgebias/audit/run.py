"""An audit from files to a result: check, ask what was not asked yet, compare."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from edgebias.audit.ask import Job, asks_in, identity_of, run_job
from edgebias.audit.compare import Joined, compare
from edgebias.audit.control import SUITE, control_frame
from edgebias.audit.mend import check_mendable, mend, settings_of
from edgebias.audit.plan import (
    CONTEXT,
    NO_ASKERS,
    NO_TOXICITY,
    SEED,
    SIZES,
    Build,
    asked_suites,
    benchmarks,
    check_builds,
    check_room,
    control_table,
    file_of,
    formats_left,
    is_url,
    item_tables,
    names_of,
    read_build,
    read_endpoint,
)
from edgebias.audit.result import Result, cost_of, divergence_of
from edgebias.core.errors import InputError
from edgebias.core.files import read_json, read_table
from edgebias.core.machine import cores_here
from edgebias.infer.responses import RESPONSE_COLUMNS
from edgebias.models import neutral_text
from edgebias.score.table import join
from edgebias.suites.formats import LETTER, LIKELIHOOD, LIKELIHOOD_CHAT


def audit(
    builds: Sequence[str],
    against: str,
    *,
    size: str,
    tolerance: float,
    folder: Path,
    raw_folder: Path | None,
    threads: int | None,
    start_token: str | None,
    endpoint_model: str | None,
    api_key_env: str | None,
    mendable: bool = False,
    trust: bool = False,
    personalisation: bool = False,
) -> Result:
    """Compare ``builds`` with the reference ``against``; the arguments are those of the command.

    ``trust`` says that dimensions of trust are asked, too, and ``personalisation`` whether it matters who asks.
    ``mendable`` says that the builds will be mended: one that cannot be is refused before anything is asked.

    Raises:
        InputError: a file cannot be asked or compared, the size is unknown, or the disk has no room.
    """
    started = time.monotonic()
    if size not in SIZES:
        raise InputError(f"--size: {size!r} is none; choose one of {', '.join(SIZES)}")
    how_much = SIZES[size]
    files = {name: file_of(name) for name in [against, *builds] if not is_url(name)}
    reference, *others = [
        read_build(files[build], name) if build in files else read_endpoint(build, endpoint_model, name)
        for build, name in zip([against, *builds], names_of([against, *builds], endpoint_model), strict=True)
    ]
    check_builds(others, reference)
    if mendable:
        for build in others:
            check_mendable(build, reference)
    check_room(folder, how_much, reference)
    formats, no_letters = formats_left([reference, *others])
    no_askers = [f"who asks is not varied: {no_letters}"] if personalisation and no_letters else []
    asked = asked_suites(trust=trust, personalisation=personalisation and not no_askers)
    raw = benchmarks(raw_folder, asked)
    paths, left_out = item_tables(size, raw, folder / "items", asked)
    left_out += [*([NO_TOXICITY] if trust else []), *no_askers]
    if personalisation and not no_askers:
        formats = (LIKELIHOOD_CHAT, *formats)  # the first: single answers are timed in the last
        left_out += [NO_ASKERS] if any(build.remote for build in others) else []
    control, no_control = control_table(size, raw_folder, folder / "items")
    left_out += [*([no_letters] if no_letters else []), *no_control]
    for reason in left_out:
        print(f"audit: {reason}", file=sys.stderr)
    environment: dict[str, Any] = {
        "backend": "llama",
        "threads": threads or cores_here(),
        "context": min(CONTEXT, *(build.trained for build in [reference, *others])),
    }
    endpoint: dict[str, Any] = {"backend": "openai", "store": str(folder / "paid_answers.sqlite")}
    endpoint |= {"api_key_env": api_key_env} if api_key_env else {}
    lettered = [path for suite, path in paths.items() if asks_in(LETTER, suite)]

    def job(build: Build, against: Path | None) -> Job:
        forms: Sequence[str] = formats
        tables, questions, text = list(paths.values()), control, str(raw / neutral_text.PATH)
        how, model = environment, {"start_token": start_token or reference.start_token}
        if build.remote:
            forms, tables, questions, text = (LETTER,), lettered, None, ""
            how, model = endpoint | {"endpoint": build.path}, {"endpoint_model": build.model}
        inputs = [*tables, *([questions] if questions else [])]
        identity = identity_of(build.sha256, forms, how, model, inputs, how_much.tokens)
        own = str(folder / "answers" / identity[:16])
        return Job(
            weights="" if build.remote else build.path,
            identity=identity,
            folder=own,
            items=list(map(str, tables)),
            control=str(questions or ""),
            formats=forms,
            environment=how,
            model=model,
            text=text,
            tokens=how_much.tokens,
            against=own if against is None else str(against),
            seed=SEED,
        )

    jobs = [job(reference, None)]
    jobs += [job(build, Path(jobs[0].folder)) for build in others]
    _ask(jobs, [reference, *others])
    counted = paths | ({SUITE: control} if control else {})
    joined = [_joined(one, paths) for one in jobs]
    texts = {
        build.name: pd.read_parquet(one.text_table)
        for build, one in zip([reference, *others], jobs, strict=True)
        if not build.remote
    }
    answered = {build.name: one for build, one in zip(others, joined[1:], strict=True)}
    return Result(
        size=size,
        tolerance=tolerance,
        reference=reference,
        builds=tuple(others),
        items={suite: len(pd.read_parquet(path)) for suite, path in counted.items()},
        compared=compare(answered, joined[0], tolerance, SEED),
        divergences=tuple(
            divergence_of(build.name, texts[build.name], texts[reference.name], SEED)
            for build in others
            if not build.remote
        ),
        costs=tuple(
            cost_of(build.name, read_json(one.cost)) for build, one in zip([reference, *others], jobs, strict=True)
        ),
        left_out=tuple(left_out),
        mended={},
        seconds=time.monotonic() - started,
    )


def mend_all(
    result: Result, into: Path, *, folder: Path, raw_folder: Path | None, threads: int | None, start_token: str | None
) -> Result:
    """Return ``result`` with what was learned for each of its builds; the arguments are those of the command."""
    raw, token, mended = benchmarks(raw_folder), start_token or result.reference.start_token, {}
    names = [re.sub(r"[^\w.-]", "_", build.name) for build in result.builds]
    for place, (build, name) in enumerate(zip(result.builds, names, strict=True)):
        target = into / (f"{name}-{build.sha256[:8]}" if name in names[:place] else name)
        learned = settings_of(build, result.reference, threads or cores_here(), token)
        mended[build.name] = mend(build, result.reference, learned, raw=raw, folder=folder / "mend", target=target)
    return replace(result, mended=mended)


def _ask(jobs: Sequence[Job], builds: Sequence[Build]) -> None:
    """Run what is not done, and say after each how long the rest may take: as long for each byte of a file."""
    waiting = [(job, build) for job, build in zip(jobs, builds, strict=True) if not job.done]
    started, read = time.monotonic(), 0
    for place, (job, build) in enumerate(waiting):
        left = sum(other.size for _, other in waiting[place:])
        seconds = (time.monotonic() - started) / read * left if read else 0.0
        rest = f", about {seconds / 60:.0f} min left" if seconds else ""
        print(f"audit: {build.name} is asked, {place + 1} of {len(waiting)}{rest}", file=sys.stderr)
        if not job.done:  # two files of the same bytes are one job
            run_job(job)
        read += build.size


def _joined(job: Job, items: Mapping[str, Path]) -> Joined:
    """Return the answers of a job with their items, by suite and format."""
    answers = pd.concat([read_table(path, RESPONSE_COLUMNS) for path in job.answers], ignore_index=True)
    found: dict[tuple[str, str], pd.DataFrame] = {}
    for suite, path in items.items():
        if str(path) not in job.items:
            continue
        table = pd.read_parquet(path)
        mine = answers[answers["item_id"].isin(table["item_id"])].reset_index(drop=True)
        both = join(table, mine, suite=suite, items_name=path, responses_name=job.folder)
        for form, frame in both.groupby("format", sort=False):
            found[suite, str(form)] = frame.reset_index(drop=True)
    if job.control:
        found[SUITE, LIKELIHOOD] = control_frame(job.control_answers)
    return found
