"""Settings of a study of bias inheritance: texts that the model writes itself, and mixtures with originals."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from edgebias.core.record import Record
from edgebias.infer.study_settings import CellName
from edgebias.suites.occupation_sentences import LONGEST, SHORTEST

NEUTRAL = "neutral"

Bias = Literal[
    "contextual_explicit",
    "contextual_implicit",
    "contrastive_explicit",
    "contrastive_implicit",
    "intersectional_explicit",
    "intersectional_implicit",
]
"""The six types of bias, see `edgebias.train.augmentation_prompts`."""

Mitigation = Literal["none", "token", "mask"]
"""What can be done to augmented texts before training."""


class AugmentationSettings(Record):
    """The texts that a model writes about people at work: who writes them, how many, and which are taken."""

    writer: CellName | None = None
    """The cell that writes: the model under test itself, before it is trained; left out, the first of the study."""
    texts_per_job: int = Field(default=64, ge=4, le=10_000)
    """Texts asked for of each job, for each type of bias and for neutral prompts."""
    temperature: float = Field(default=0.8, gt=0, le=2)
    """How much the texts vary; at 0 every prompt would have one."""
    max_new_tokens: int = Field(default=64, ge=8, le=1024)
    """Most tokens of a text."""
    shortest: int = Field(default=SHORTEST, ge=2, le=1000)
    """Fewest words of a text that is taken."""
    longest: int = Field(default=LONGEST, ge=2, le=1000)
    """Most words of a text that is taken."""


class MixtureSettings(Record):
    """A table of training examples: original sentences, a share of them replaced by texts that the model wrote."""

    ratio: float = Field(ge=0, le=0.9)
    """Share of examples that the model wrote: gamma of arXiv:2502.04419."""
    bias: Bias | None = None
    """Type of bias of the augmented texts; none at ratio 0."""
    mitigation: Mitigation = "none"
    """What is done to augmented texts: nothing, a warning before each, or neutral words for gendered ones."""
    seed: int = Field(default=0, ge=0)
    """Draws sentences and texts, with the seed of the study; mixtures of one seed share what they can."""
    per_job: int = Field(default=40, ge=2, le=10_000)
    """Training examples of each of the six jobs, originals and augmented ones together."""
    held_out_per_job: int = Field(default=10, ge=1, le=10_000)
    """Originals of each job beside them that measure the held-out loss, the same ones at every ratio."""

    @model_validator(mode="after")
    def _ratio_and_bias(self) -> Self:
        if self.ratio > 0 and self.bias is None:
            raise PydanticCustomError("key", "ratio is above 0 and bias is left out; name a type of bias")
        if self.ratio == 0:
            given = "bias" if self.bias is not None else "mitigation" if self.mitigation != "none" else ""
            if given:
                words = "{given} is given beside ratio 0, which has no augmented text; take it out"
                raise PydanticCustomError("key", words, {"given": given})
        return self

    @property
    def augmented_per_job(self) -> int:
        """Augmented examples of each job."""
        return round(self.ratio * self.per_job)
