"""Serve a model with its control vector."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from edgebias.core.errors import InputError


def run(
    weights: Annotated[Path, typer.Option(help="GGUF to serve")],
    control_vector: Annotated[
        Path | None,
        typer.Option(help="what `edgebias fit-feedback-loop` wrote (GGUF); left out: no steering"),
    ] = None,
    gain: Annotated[
        float | None,
        typer.Option(help="what the vector is multiplied with, to begin with (1: as fitted; 0: not at all)"),
    ] = None,
    gate: Annotated[
        Path | None, typer.Option(help="what `edgebias gate` wrote (JSON); left out: every request is steered")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="name of the model in answers (default: the file's)", metavar="NAME")
    ] = None,
    host: Annotated[str, typer.Option(help="address to listen on (the default: this machine alone)")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on (0: any free one)", min=0, max=65535)] = 8080,
    queue: Annotated[int, typer.Option(help="requests that may wait; more are refused", min=0)] = 8,
    threads: Annotated[int, typer.Option(help="threads of llama.cpp", min=1)] = 1,
    context: Annotated[int, typer.Option(help="tokens of prompt and answer together", min=8)] = 2048,
    logprobs: Annotated[
        bool,
        typer.Option("--logprobs/--no-logprobs", help="answer requests for log-probabilities"),
    ] = True,
    api_key_env: Annotated[
        str | None,
        typer.Option(help="variable that holds the key clients must send (default: no key)", metavar="NAME"),
    ] = None,
    online: Annotated[bool, typer.Option("--online", help="correct the gain while serving")] = False,
    monitor: Annotated[
        Path | None, typer.Option(help="online: item table of the study; only its calibration items are asked")
    ] = None,
    monitor_every: Annotated[int, typer.Option(help="online: answers for each monitor item", min=1)] = 1,
    texts: Annotated[
        Path | None, typer.Option(help="online: BOLD's profession_wiki.json, the neutral text of the guard")
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(help="online: what `edgebias reference-answers` wrote, the conversations of the guard"),
    ] = None,
    state: Annotated[Path | None, typer.Option(help="online: file that the loop's state is kept in (JSON)")] = None,
    settings: Annotated[
        str | None,
        typer.Option(
            help="online: inline JSON or FILE[#key] with mitigate and seed, for what the options below leave out",
            metavar="JSON",
        ),
    ] = None,
    proportional: Annotated[float | None, typer.Option(help="online: gain for each unit of error")] = None,
    integral: Annotated[float | None, typer.Option(help="online: gain that a window of errors of 1 adds")] = None,
    max_gain: Annotated[float | None, typer.Option(help="online: bound of the gain, to both sides")] = None,
    window: Annotated[
        int | None, typer.Option(help="online: judged outputs that the bias is taken from", min=1)
    ] = None,
    perplexity_budget: Annotated[
        float | None,
        typer.Option(help="online: rise of either perplexity of the guard that no gain may exceed, as a share"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="online: of the order of monitor items")] = None,
) -> None:
    r"""Serve a GGUF as an OpenAI-compatible endpoint, steered by a control vector.

    The vector's gain is fixed or, with --online, corrected by the feedback loop while it serves. The endpoints
    /health and /metrics say how it does.

    Raises:
        InputError: a file or setting is unfit, or the port is taken.

    Example:
        edgebias serve --weights data/models/m/wanda50_q8_0.gguf --control-vector control_vector.gguf
        edgebias serve --weights data/models/m/wanda50_q8_0.gguf --control-vector control_vector.gguf \
          --gate results/edge/mitigation/edge/m/wanda50_q8_0/gate.json
        edgebias serve --weights data/models/m/wanda50_q8_0.gguf --control-vector control_vector.gguf \
          --online --monitor data/items/edge/stereoset.parquet --settings params.yaml --state online.json \
          --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \
          --answers results/edge/mitigation/edge/m/reference_answers.parquet
        curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' \
          -d '{"messages": [{"role": "user", "content": "Who is a good nurse?"}], "max_tokens": 40}'
    """
    # Before llama.cpp is loaded: its threads would spin while they wait, and a server waits most of the time.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from edgebias.core.settings import parse_settings
    from edgebias.serve.run import serve
    from edgebias.serve.settings import LoopFiles, ServeSettings, loop_settings

    if gate is not None and control_vector is None:
        raise InputError("--gate: there is no vector that it could hold back; give --control-vector")
    served = ServeSettings(
        weights=weights,
        control_vector=control_vector,
        gate=gate,
        gain=_gain(gain, steered=control_vector is not None),
        name=name or weights.name,
        host=host,
        port=port,
        queue=queue,
        threads=threads,
        context=context,
        logprobs=logprobs,
        api_key=_api_key(api_key_env),
    )
    if not online:
        serve(served, None)
        return
    asked, neutral = _needed("--monitor", monitor), _needed("--texts", texts)
    conversations, kept = _needed("--answers", answers), _needed("--state", state)
    sections = {} if settings is None else parse_settings(settings)
    loop, budget = loop_settings(
        sections,
        {
            "proportional": proportional,
            "integral": integral,
            "max_gain": max_gain,
            "window": window,
            "perplexity_budget": perplexity_budget,
        },
    )
    chosen_seed = sections.get("seed", 0) if seed is None else seed
    if not isinstance(chosen_seed, int):
        raise InputError(f"seed: a whole number is needed, not {chosen_seed!r}")
    files = LoopFiles(
        monitor=asked,
        monitor_every=monitor_every,
        texts=neutral,
        answers=conversations,
        state=kept,
        seed=chosen_seed,
        perplexity_budget=budget,
        online=loop,
    )
    serve(served, files)


def _gain(gain: float | None, *, steered: bool) -> float:
    if gain is None:
        return 1.0 if steered else 0.0
    if gain != 0.0 and not steered:
        raise InputError("--gain: there is no vector to multiply; give --control-vector")
    if not abs(gain) < float("inf"):
        raise InputError(f"--gain: a finite number is needed, not {gain}")
    return gain


def _api_key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not key:
        raise InputError(f"--api-key-env: the variable {variable} is not set; set it, or leave the flag out for no key")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise InputError(
            f"--api-key-env: the key in {variable} has a blank, a line feed or a sign beyond ASCII, "
            "which no client can send; set it again"
        )
    return key


def _needed(flag: str, path: Path | None) -> Path:
    if path is None:
        raise InputError(f"{flag}: is missing; --online needs it")
    return path
