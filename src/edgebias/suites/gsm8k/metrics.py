"""GSM8K (Cobbe et al., arXiv 2110.14168), in percent: solutions that come to the right number.

A solution that names no number enters the coverage alone; the paper counts it as wrong, which is ``bound_low``. By
likelihood it is the share of problems whose right number is likelier than three near it: a guess is right in 25 %.
"""

from __future__ import annotations

from edgebias.metrics.accuracy import accuracy
from edgebias.metrics.metric import Family

FAMILY = Family(
    suite="gsm8k",
    description="GSM8K: accuracy on grade school problems, by the number that a solution comes to.",
    citation=(
        "@misc{cobbe-etal-2021-training, title={Training Verifiers to Solve Math Word Problems}, author={Cobbe, Karl "
        "and Kosaraju, Vineet and Bavarian, Mohammad and Chen, Mark and Jun, Heewoo and Kaiser, Lukasz and Plappert, "
        "Matthias and Tworek, Jerry and Hilton, Jacob and Nakano, Reiichiro and Hesse, Christopher and Schulman, "
        "John}, year={2021}, eprint={2110.14168}, archivePrefix={arXiv}}"
    ),
    homepage="https://github.com/openai/grade-school-math",
    metrics=(accuracy("accuracy"),),
    optional=(),
)
