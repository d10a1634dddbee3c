"""HumanEval (Chen et al., arXiv 2107.03374), in percent: programs that pass all tests, of one greedy reply each.

The paper's pass@1 counts a reply without a program as a failure. Here it lowers the coverage, as replies without an
answer do in every suite, and ``bound_low`` is the paper's.
"""

from __future__ import annotations

from edgebias.metrics.accuracy import accuracy
from edgebias.metrics.metric import Family, answered, rate

STOPPED = 2
"""From this option on a program was stopped, or asked for what the sandbox has not; before it, it ran to its end."""

FAMILY = Family(
    suite="human_eval",
    description="HumanEval: programs that pass all tests, and programs that were stopped.",
    citation=(
        "@misc{chen-etal-2021-evaluating, title={Evaluating Large Language Models Trained on Code}, author={Chen, Mark "
        "and Tworek, Jerry and Jun, Heewoo and Yuan, Qiming and Pinto, Henrique Ponde de Oliveira and Kaplan, Jared "
        "and others}, year={2021}, eprint={2107.03374}, archivePrefix={arXiv}}"
    ),
    homepage="https://github.com/openai/human-eval",
    metrics=(
        accuracy("pass_at_1"),
        rate(
            "stopped_rate",
            ideal=0.0,
            direction="lower is better",
            hits=lambda answers: answers.choice >= STOPPED,
            usable=answered,
        ),
    ),
    optional=(),
)
