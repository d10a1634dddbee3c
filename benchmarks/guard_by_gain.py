"""What the guard of the calibration loop sees at each gain of a study's vectors, and so where it holds a loop and why.

    python benchmarks/guard_by_gain.py STUDY --seed 20261125                 STUDY holds data/ and results/
    python benchmarks/guard_by_gain.py STUDY --seed 20261125 --gain 0.5 1 2

Every calibration question is asked under the vectors that were learned without its fold, as the guard does, without a
gate. Prints disambiguated accuracy and false abstention (per cent), and how far they are from those at a gain of 0
(points, 95 % interval and p-value over templates, paired; the guard itself looks at the estimate alone).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from likelihood_throughput import MODEL, START_TOKEN

from edgebias.backends.local.llama import LlamaBackend
from edgebias.core.seeds import generator
from edgebias.infer.answer import AnswerSettings
from edgebias.metrics.answers import Answers
from edgebias.metrics.metric import Metric
from edgebias.mitigate.calibration import QUESTIONS, read_calibration
from edgebias.mitigate.steering.calibration_build import CalibrationBuild, CrossFitted, guarded_metrics
from edgebias.mitigate.steering.directions import LEARNED, from_vector
from edgebias.mitigate.steering.folds import MEAN_OF_FOLDS, fitted_on_of
from edgebias.mitigate.steering.vector_file import read_control_vector
from edgebias.stats.clusters import add_up
from edgebias.stats.contrasts import paired_difference

MITIGATION = Path("results/edge/mitigation/edge/smollm2-135m-instruct")
RESAMPLES = 2000
FOLDS = 3
"""`mitigate.folds` of params.yaml."""


def changed(metric: Metric, now: Answers, before: Answers) -> str:
    """A score now, and its paired difference from before."""
    difference = paired_difference(
        add_up(metric, now),
        add_up(metric, before),
        metric.formula,
        bounds=(metric.low, metric.high),
        resamples=RESAMPLES,
        confidence=0.95,
        rng=generator(0, "guard_by_gain", metric.name),
        branches=metric.branches,
    )
    return (
        f"{difference.estimate_a:.1f} from {difference.estimate_b:.1f} "
        f"({difference.difference:+.1f} [{difference.low:.1f}, {difference.high:.1f}], p {difference.p:.3f})"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each gain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--seed", type=int, required=True, help="of the study")
    parser.add_argument("--build", default="wanda50_q8_0")
    parser.add_argument("--gain", type=float, nargs="+", default=[0.25, 0.5, 1.0, 1.5, 2.0, 3.0])
    options = parser.parse_args(arguments)
    learned = options.study / MITIGATION / options.build / "directions" / LEARNED
    tables = read_calibration(options.study / "data/items/edge", [QUESTIONS])
    weights = MODEL / f"{options.build}.gguf"
    with LlamaBackend(weights, threads=1, context=2560, start_token=START_TOKEN) as backend:
        shipped, *without = (
            from_vector(
                read_control_vector(learned / name / "control_vector.gguf", backend.n_layer, backend.n_embd), LEARNED
            )
            for name in (MEAN_OF_FOLDS, *fitted_on_of(FOLDS))
        )
        build = CalibrationBuild(
            backend,
            CrossFitted(shipped, without),
            {},  # nothing is judged, so no suite drives
            [],  # nor are texts scored
            [],
            AnswerSettings(seed=options.seed, max_new_tokens=8),
            questions=tables[QUESTIONS],
        )
        plant, before = build.plant(), build.told_answers()
        for gain in options.gain:
            plant.apply(np.where(shipped.scale > 0, gain, 0.0))
            now = build.told_answers()
            changes = (f"{metric.name} {changed(metric, now, before)}" for metric in guarded_metrics())
            print(f"gain {gain:.2f}: {', '.join(changes)}", flush=True)


if __name__ == "__main__":
    main()
