"""What the guard of the calibration loop sees at each gain of a study's vectors, and so where it holds a loop and why.

    python benchmarks/guard_by_gain.py STUDY --seed 20261125                 STUDY holds data/ and results/
    python benchmarks/guard_by_gain.py STUDY --seed 20261125 --gain 0.5 1 2

Every calibration question is asked under the vectors that were learned without its fold, as the guard does, without a
gate. Prints disambiguated accuracy and false abstention (per cent), and what they have lost since a gain of 0 (points).
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from likelihood_throughput import MODEL, START_TOKEN
from vector_perplexity import TEXTS

from edgebias.backends.llama import LlamaBackend
from edgebias.infer.answer import AnswerSettings
from edgebias.mitigate.calibration import LEARNED_SENTENCES, QUESTIONS, read_calibration
from edgebias.mitigate.calibration_build import CalibrationBuild, CrossFitted
from edgebias.mitigate.directions import LEARNED, from_vector
from edgebias.mitigate.folds import MEAN_OF_FOLDS, fitted_on_of
from edgebias.mitigate.reference_answers import answer_requests, read_answers
from edgebias.mitigate.vector_file import read_control_vector
from edgebias.variants.perplexity import neutral_sentences

MITIGATION = Path("results/mitigation/edge/smollm2-135m-instruct")
FOLDS = 3
"""`mitigate.folds` of params.yaml."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each gain."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path)
    parser.add_argument("--seed", type=int, required=True, help="of the study")
    parser.add_argument("--build", default="wanda50_q8_0")
    parser.add_argument("--gain", type=float, nargs="+", default=[0.25, 0.5, 1.0, 1.5, 2.0, 3.0])
    options = parser.parse_args(arguments)
    learned = options.study / MITIGATION / options.build / "directions" / LEARNED
    tables = read_calibration(options.study / "data/prompts", [QUESTIONS])
    weights = MODEL / f"{options.build}.gguf"
    with LlamaBackend(weights, threads=1, context=2560, start_token=START_TOKEN) as backend:
        shipped, *without = (
            from_vector(
                read_control_vector(learned / name / "control_vector.gguf", backend.n_layer, backend.n_embd), LEARNED
            )
            for name in (MEAN_OF_FOLDS, *fitted_on_of(FOLDS))
        )
        plant = CalibrationBuild(
            backend,
            CrossFitted(shipped, without),
            {},  # nothing is judged, so no suite drives
            neutral_sentences(options.study / TEXTS, "fit")[LEARNED_SENTENCES:],
            answer_requests(read_answers(options.study / MITIGATION / "reference_answers.parquet", "guard")),
            AnswerSettings(seed=options.seed, max_new_tokens=8),
            questions=tables[QUESTIONS],
        ).plant()
        before = None
        for gain in (0.0, *options.gain):
            plant.apply(np.where(shipped.scale > 0, gain, 0.0))
            found = plant.utility().questions
            assert found is not None  # questions were given
            before = before or found
            lost = before.disambiguated_accuracy - found.disambiguated_accuracy
            more = found.false_abstention - before.false_abstention
            print(
                f"gain {gain:.2f}: disambiguated accuracy {found.disambiguated_accuracy:.2f} (lost {lost:.2f}), "
                f"false abstention {found.false_abstention:.2f} (more {more:.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
