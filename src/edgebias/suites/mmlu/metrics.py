"""MMLU (Hendrycks et al., ICLR 2021), in percent: accuracy, and how often the first letter is chosen.

The paper averages over subjects. The file has 50 questions of each and does not say which, so that the accuracy here
is over questions. A guess is right in 25 %, "always A" in 24 %.
"""

from __future__ import annotations

from edgebias.metrics.accuracy import accuracy
from edgebias.metrics.metric import Family, answered, rate

FAMILY = Family(
    suite="mmlu",
    description="MMLU: accuracy on exam questions with four options, and the share of answers that choose the first.",
    citation=(
        "@inproceedings{hendrycks-etal-2021-measuring, title={Measuring Massive Multitask Language Understanding}, "
        "author={Hendrycks, Dan and Burns, Collin and Basart, Steven and Zou, Andy and Mazeika, Mantas and Song, Dawn "
        "and Steinhardt, Jacob}, booktitle={International Conference on Learning Representations}, year={2021}}"
    ),
    homepage="https://github.com/hendrycks/test",
    metrics=(
        accuracy("accuracy"),
        # Options stand in the order of the file in every format, likelihood included: the first is always letter A.
        rate(
            "first_letter_rate",
            ideal=25.0,
            direction="25 is ideal; above it letter A is preferred",
            hits=lambda answers: answers.choice == 0,
            usable=answered,
        ),
    ),
    optional=(),
)
