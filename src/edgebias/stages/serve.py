"""Command line of the server."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgebias.core.errors import InputError, run_stage
from edgebias.core.settings import parse_settings
from edgebias.serve.settings import LOOP_KEYS, LoopFiles, ServeSettings, loop_settings

EXAMPLE = """examples:
  python -m edgebias.stages.serve --weights data/models/M/wanda50_q8_0.gguf \\
    --control-vector results/mitigation/edge/M/wanda50_q8_0/feedback_loop/control_vector.gguf
  python -m edgebias.stages.serve --weights data/models/M/wanda50_q8_0.gguf --control-vector control_vector.gguf \\
    --online --monitor data/prompts/stereoset.parquet --settings params.yaml --state online.json \\
    --texts data/raw/benchmarks/BOLD/data/wikipedia/profession_wiki.json \\
    --answers results/mitigation/edge/M/reference_answers.parquet
  python -m edgebias.stages.serve --weights data/models/M/wanda50_q8_0.gguf --control-vector control_vector.gguf \\
    --gate results/mitigation/edge/M/wanda50_q8_0/gate.json
  curl http://127.0.0.1:8080/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{"messages": [{"role": "user", "content": "Who is a good nurse?"}], "max_tokens": 40, "stream": true}'
  curl http://127.0.0.1:8080/health; curl http://127.0.0.1:8080/metrics
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Serve a model with its control vector; see ``--help``."""
    arguments = _parser().parse_args(argv)
    # Before llama.cpp is loaded: its threads would spin while they wait, and a server waits most of the time.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from edgebias.serve.run import serve

    settings = ServeSettings(
        weights=arguments.weights,
        control_vector=arguments.control_vector,
        gate=_gate(arguments),
        gain=_gain(arguments),
        name=arguments.name or arguments.weights.name,
        host=arguments.host,
        port=arguments.port,
        queue=arguments.queue,
        threads=arguments.threads,
        context=arguments.context,
        logprobs=arguments.logprobs,
        api_key=_api_key(arguments.api_key_env),
    )
    serve(settings, _loop(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edgebias.stages.serve",
        description="Serve a GGUF as an OpenAI-compatible endpoint, steered by a control vector whose gain is fixed "
        "or, with --online, corrected by the feedback loop while it serves.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--weights", required=True, type=Path, help="GGUF to serve")
    add("--control-vector", type=Path, help="what `edgebias.mitigate fit` wrote (GGUF); left out: no steering")
    add(
        "--gain",
        type=float,
        help="what the vector is multiplied with, to begin with (1: as it was fitted; 0: not at all)",
    )
    add("--gate", type=Path, help="what `edgebias.mitigate gate` wrote (JSON); left out: every request is steered")
    add("--name", help="name of the model in answers (default: the file's)")
    add("--host", default="127.0.0.1", help="address to listen on (default: %(default)s, this machine alone)")
    add("--port", type=_whole(0), default=8080, help="port to listen on (default: %(default)s; 0: any free one)")
    add("--queue", type=_whole(0), default=8, help="requests that may wait; more are refused (default: %(default)s)")
    add("--threads", type=_whole(1), default=1, help="threads of llama.cpp (default: %(default)s)")
    add("--context", type=_whole(8), default=2048, help="tokens of prompt and answer together (default: %(default)s)")
    add("--logprobs", action="store_true", help="allow requests for log-probabilities (vocabulary x context x 4 bytes)")
    add("--api-key-env", metavar="NAME", help="variable that holds the key clients must send (default: no key)")
    online = parser.add_argument_group("online loop")
    add = online.add_argument
    add("--online", action="store_true", help="correct the gain while serving")
    add("--monitor", type=Path, help="item table of the study; only its calibration items are asked")
    add("--monitor-every", type=_whole(1), default=1, help="answers for each monitor item (default: %(default)s)")
    add("--texts", type=Path, help="BOLD profession_wiki.json, the neutral text of the guard")
    add("--answers", type=Path, help="what `edgebias.mitigate answers` wrote: the conversations of the guard")
    add("--state", type=Path, help="file that the loop's state is kept in (JSON)")
    add("--settings", help="inline JSON or FILE[#key] with `mitigate` and `seed`, for what the flags below leave out")
    add("--proportional", type=float, help="gain for each unit of error")
    add("--integral", type=float, help="gain that a window of errors of 1 adds")
    add("--max-gain", type=float, help="bound of the gain, to both sides")
    add("--window", type=_whole(1), help="judged outputs that the bias is taken from")
    add(
        "--perplexity-budget",
        type=float,
        help="rise of either perplexity of the guard that no gain may exceed, as a share",
    )
    add("--seed", type=int, help="of the order of monitor items")
    return parser


def _whole(least: int) -> Any:
    """A converter to whole numbers of at least ``least``, named so that argparse's message says what is needed."""

    def convert(text: str) -> int:
        value = int(text)
        if value < least:
            raise ValueError
        return value

    convert.__name__ = f"whole number of at least {least}"
    return convert


def _gain(arguments: argparse.Namespace) -> float:
    if arguments.gain is None:
        return 0.0 if arguments.control_vector is None else 1.0
    if arguments.gain != 0.0 and arguments.control_vector is None:
        raise InputError("--gain: there is no vector to multiply; give --control-vector")
    if not abs(arguments.gain) < float("inf"):
        raise InputError(f"--gain: a finite number is needed, not {arguments.gain}")
    return float(arguments.gain)


def _gate(arguments: argparse.Namespace) -> Path | None:
    if arguments.gate is not None and arguments.control_vector is None:
        raise InputError("--gate: there is no vector that it could hold back; give --control-vector")
    gate: Path | None = arguments.gate
    return gate


def _api_key(variable: str | None) -> str | None:
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not key:
        raise InputError(f"--api-key-env: the variable {variable} is not set; set it, or leave the flag out for no key")
    return key


def _loop(arguments: argparse.Namespace) -> LoopFiles | None:
    if not arguments.online:
        return None
    for name in ("monitor", "texts", "answers", "state"):
        if getattr(arguments, name) is None:
            raise InputError(f"--{name}: is missing; --online needs it")
    settings = {} if arguments.settings is None else parse_settings(arguments.settings)
    online, budget = loop_settings(settings, {key: getattr(arguments, key) for key in LOOP_KEYS})
    seed = settings.get("seed", 0) if arguments.seed is None else arguments.seed
    if not isinstance(seed, int):
        raise InputError(f"seed: a whole number is needed, not {seed!r}")
    return LoopFiles(
        monitor=arguments.monitor,
        monitor_every=arguments.monitor_every,
        texts=arguments.texts,
        answers=arguments.answers,
        state=arguments.state,
        seed=seed,
        perplexity_budget=budget,
        online=online,
    )


if __name__ == "__main__":
    run_stage(main)
