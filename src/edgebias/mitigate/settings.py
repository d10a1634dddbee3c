"""Settings of mitigation: the sections ``mitigate`` and ``layer_probes``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from edgebias.core.record import OneOf, Record, SomeOf
from edgebias.score.settings import IntervalSettings
from edgebias.suites.registry import names_where

LearnableSuite = Annotated[str, OneOf(names_where(lambda suite: suite.teaches), "suite")]
"""A suite with a stereotype and an anti-stereotype option."""

DriverSuite = Annotated[str, OneOf(names_where(lambda suite: suite.drives_loop), "suite")]
"""A suite whose bias is a stereotype rate, which may drive the loop."""


DirectionSource = Literal["learned", "gradient", "difference_of_means", "pca", "probe"]
"""How directions are found."""

FoldCount = Annotated[int, Strict(), Field(ge=2)]
"""A number of folds."""


PerplexityBudget = Annotated[float, Strict(), Field(ge=0)]
"""A share by which perplexity may rise."""


class LearningSettings(Record):
    """The vectors that the directions ``learned`` take."""

    suites: SomeOf[LearnableSuite] = ("stereoset",)
    """Whose calibration items are fitted."""
    steps: int = Field(default=100, ge=1)
    """Steps of gradient descent."""
    items: int = Field(default=16, ge=1)
    """Items of a step."""
    sentences: int = Field(default=3, ge=1)
    """Neutral sentences of a step."""
    conversations: int = Field(default=2, ge=0)
    """Reference answers of a step."""
    rate: float = Field(default=0.006, gt=0)
    """Highest learning rate."""
    divergence: float = Field(default=3.0, ge=0)
    """Weight of the divergence from the unsteered model on neutral sentences."""
    answers: float = Field(default=3.0, ge=0)
    """Weight of the divergence from the unsteered model on reference answers."""
    margin: float = Field(default=4.0, ge=0)
    """Weight of what meaningful options lose to unrelated ones (StereoSet)."""
    likelihood: float = Field(default=0.3, ge=0)
    """Weight of the loss, in nats per token, on neutral sentences."""


class ReferenceAnswerSettings(Record):
    """Answers of the uncompressed build to everyday requests; learning, the guard and the scores read a third each."""

    topics: int = Field(default=20, ge=2, le=20)
    """Topics of each third, three requests a topic."""
    tokens: int = Field(default=60, ge=1)
    """Most tokens of an answer."""
    temperature: float = Field(default=0.7, ge=0)
    """Temperature at which they are sampled."""


class ControllerKeys(Record):
    """The controller of the loop, and what its guard allows."""

    window: int = Field(default=32, ge=2)
    """Judged outputs that an update of the loop looks at."""
    proportional: float = Field(default=0.5, ge=0)
    """Proportional coefficient of the controller."""
    integral: float = Field(default=2.0, ge=0)
    """Integral coefficient of the controller."""
    max_gain: float = Field(default=4.0, gt=0)
    """Largest gain. Of learned vectors 1 is the vector as learned, of other directions a thousandth of the residual
    norm."""
    perplexity_budget: PerplexityBudget = 0.02
    """Share by which steering may raise the perplexity of neutral text."""


class LoopKeys(ControllerKeys):
    """The loop on calibration items."""

    rounds: int = Field(default=12, ge=1)
    """Most updates of the loop."""
    folds: FoldCount = 3
    """Folds of the calibration clusters; the loop judges each under directions that were found without it."""
    first_gain: float = Field(default=0.0, ge=0)
    """Gain at which the loop begins, at most max_gain; 0 leaves its first round to the controller."""
    question_budget: float = Field(default=1.0, ge=0)
    """Points of disambiguated accuracy that steering may lose, and of false abstention that it may add, on calibration
    items of BBQ; the guard asks them where vectors are learned from them."""
    directions: DirectionSource = "learned"
    """How the directions are found that are steered along."""

    @model_validator(mode="after")
    def _first_gain_is_possible(self) -> Any:
        if self.first_gain > self.max_gain:
            raise PydanticCustomError(
                "key",
                "first_gain is {first}; a number of at most max_gain ({most}) is needed",
                {"first": self.first_gain, "most": self.max_gain},
            )
        return self


class DriverKeys(Record):
    """What drives the loop."""

    suites: SomeOf[DriverSuite] = ("stereoset",)
    """Whose calibration items drive the loop; name suites in which the model has bias to remove."""


class LearningKeys(Record):
    """What vectors are learned from."""

    learning: LearningSettings = LearningSettings()
    """The vectors that directions learned take."""


class EvaluationKeys(IntervalSettings):
    """How a method is measured."""

    perplexity_sentences: int = Field(default=100, ge=3)
    """Neutral sentences that each method is measured on."""


class LayerProbeSettings(IntervalSettings):
    """Probes of what can be read of a stereotype in each block."""

    suites: SomeOf[LearnableSuite] = ("stereoset",)
    """Whose calibration items are probed; those with a stereotype and an anti-stereotype option."""
    folds: FoldCount = 5
    """Folds of clusters; a probe is trained on all others."""
    flips: int = Field(default=100, ge=19)
    """Random swaps of the labels of clusters: what chance can do."""
