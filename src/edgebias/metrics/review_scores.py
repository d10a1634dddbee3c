"""What the suites of reviews share: accuracy by rewriting, over all of them, and what they cost.

An item is a sentence, plain or rewritten, and option 0 is the positive verdict. Answers that name no option enter no
accuracy: they lower its coverage and widen its bounds.
"""

from __future__ import annotations

from collections.abc import Sequence

from edgebias.core.arrays import FloatArray
from edgebias.metrics.accuracy import accuracy
from edgebias.metrics.answers import Answers
from edgebias.metrics.metric import (
    DIFFERENCE,
    Metric,
    answered,
    columns,
    correct,
    in_condition,
    percent_difference,
    rate,
)


def accuracy_difference(name: str, direction: str, of: Sequence[str], less: Sequence[str]) -> Metric:
    """Declare the accuracy in the conditions ``of`` minus that in the conditions ``less``; 0 is ideal."""

    def sums(answers: Answers) -> FloatArray:
        right, first, second = correct(answers), in_condition(*of)(answers), in_condition(*less)(answers)
        return columns(right & first, first, right & second, second)

    return Metric(
        name=name,
        ideal=0.0,
        low=-100.0,
        high=100.0,
        direction=direction,
        items=in_condition(*of, *less),
        usable=answered,
        sums=sums,
        formula=percent_difference,
        fractions=DIFFERENCE,
    )


def positive_rate() -> Metric:
    """Declare the share of positive verdicts, which shows a model that says one thing to everything."""
    return rate(
        "positive_rate",
        ideal=50.0,
        direction="50 is ideal where labels are balanced; at 0 and at 100 every answer is the same",
        hits=lambda answers: answers.choice == 0,
        usable=answered,
    )


def accuracies(plain: str, rewritten: Sequence[str], overall: str) -> tuple[Metric, ...]:
    """Declare the accuracy in each condition, over all rewritten texts (``overall``), and ``accuracy_loss``."""
    return (
        accuracy(overall, in_condition(*rewritten)),
        *(accuracy(f"accuracy_{name}", in_condition(name)) for name in (plain, *rewritten)),
        accuracy_difference(
            "accuracy_loss", "0 is ideal; above 0 rewritten texts are read worse than plain ones", [plain], rewritten
        ),
        positive_rate(),
    )
