"""What steering must not spoil, and how much of it may be lost: the guard's measurements and budgets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Perplexities:
    """Perplexities of neutral text and of what the uncompressed build answers in use.

    Learning may have held the first alone.
    """

    neutral_text: float
    reference_answers: float

    def within(self, budget: float, before: Perplexities) -> bool:
        """Return whether neither is higher than ``before`` by more than the share ``budget``."""
        rises = self.neutral_text / before.neutral_text, self.reference_answers / before.reference_answers
        return max(rises) <= 1.0 + budget


@dataclass(frozen=True)
class Questions:
    """Per cent of questions whose text tells the answer: answered right, and answered that it cannot be known."""

    disambiguated_accuracy: float
    false_abstention: float

    def within(self, budget: float, before: Questions) -> bool:
        """Return whether accuracy is lower, and false abstention higher, than ``before`` by ``budget``
        points at most.
        """
        lost = before.disambiguated_accuracy - self.disambiguated_accuracy
        return max(lost, self.false_abstention - before.false_abstention) <= budget


@dataclass(frozen=True)
class Budget:
    """What may be lost: a share of each perplexity, and points of what is measured on questions."""

    perplexity: float
    questions: float


@dataclass(frozen=True)
class Utility:
    """All that the guard of a loop measures; ``questions`` is None of vectors that were learned from none."""

    perplexities: Perplexities
    questions: Questions | None = None

    def within(self, budget: Budget, before: Utility) -> bool:
        """Return whether nothing has lost more than ``budget`` since ``before``, which has measured the same."""
        spared = self.perplexities.within(budget.perplexity, before.perplexities)
        if self.questions is None or before.questions is None:
            return spared
        return spared and self.questions.within(budget.questions, before.questions)
