"""Settings of training: the key ``train`` of a build."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from edgebias.core.record import Record
from edgebias.models.settings import VariantSettings

STEPS = 100
RANK = 16
ALPHA = 16
DROPOUT = 0.05
BETA = 0.1
"""What counts where a key is left out: as in the preference tuning of arXiv:2406.11107, adapter included."""


AS_IS, WITHOUT, RANDOM_IDENTITY = "as_is", "none", "random_identity"
SYSTEMS = (AS_IS, WITHOUT, RANDOM_IDENTITY)
"""Variants of preferences in arXiv:2406.11107: the system prompt that says nothing of who asks, none, and that of an
identity by chance."""

NO_PEFT = "pip install edgebias[train]"
"""The way out where what trains adapters is not installed."""


class TrainSettings(Record):
    """How the weights of a build are trained further, on a table of examples."""

    data: str = Field(min_length=1)
    """The examples: a file of JSON lines or parquet, from this folder."""
    objective: Literal["response", "preference"] = "response"
    """What is made likely: each response after its prompt (supervised fine-tuning), or the chosen answer against the
    rejected one (preference tuning by DPO, which holds to the untrained build)."""
    method: Literal["lora", "full"] = "lora"
    """Which weights move: those of low-rank adapters beside every matrix of the blocks, or all of the model's."""
    wording: Literal["chat", "text"] = "chat"
    """How the model reads an example: prompt and response as turns of its chat template, or as one plain text."""
    steps: int | None = Field(default=None, ge=1, le=100_000)
    """Updates of the weights; left out, those of epochs, or 100."""
    epochs: int | None = Field(default=None, ge=1, le=1000)
    """Instead of steps: passes over the training examples."""
    batch: int = Field(default=8, ge=1, le=1024)
    """Examples of one step."""
    learning_rate: float = Field(default=1e-4, gt=0, le=1)
    """Largest step of AdamW; full training wants about a tenth of what an adapter wants."""
    warmup: int = Field(default=10, ge=0)
    """Steps over which the rate rises from 0; it then falls to 0 along a cosine."""
    weight_decay: float = Field(default=0.0, ge=0, le=1)
    """Share of the learning rate by which AdamW shrinks each weight in a step."""
    rank: int | None = Field(default=None, ge=1, le=1024)
    """Rank of the adapters; left out, 16."""
    alpha: int | None = Field(default=None, ge=1)
    """The adapters' product is scaled by alpha over rank; left out, 16."""
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Share of an adapter's inputs that is left out in a step; left out, 0.05."""
    beta: float | None = Field(default=None, gt=0)
    """How strongly preference tuning holds to the untrained build; left out, 0.1."""
    align: float = Field(default=0.0, ge=0, le=1e6)
    """Weight of the loss-based term of arXiv:2502.04419, which draws original and augmented examples together; 0 for
    none."""
    longest: int = Field(default=512, ge=2, le=32768)
    """Most tokens of an example; longer ones are left out and counted in the record."""
    evaluate_every: int = Field(default=20, ge=1)
    """Steps from one held-out loss to the next; each comes with a checkpoint."""
    held_out: int = Field(default=64, ge=1)
    """Most held-out examples of an evaluation, always the same ones."""
    patience: int | None = Field(default=3, ge=1)
    """Evaluations without a lower held-out loss after which training stops, and the best weights are taken. With null
    all steps are made, and the last weights are taken."""
    threads: int = Field(default=2, ge=1, le=256)
    """Threads of PyTorch; another number adds up in another order, and gives other last digits."""
    seed: int = Field(default=0, ge=0)
    """Orders the examples, starts the adapters, and draws their dropout."""

    @model_validator(mode="after")
    def _keys_belong_together(self) -> Self:
        if self.steps is not None and self.epochs is not None:
            raise PydanticCustomError("key", "steps is given beside epochs, which decides it; give one of them")
        adapter = next((key for key in ("rank", "alpha", "dropout") if getattr(self, key) is not None), None)
        if self.method == "full" and adapter is not None:
            words = "{key} is given beside method full, which has no adapters; take it out"
            raise PydanticCustomError("key", words, {"key": adapter})
        if self.objective == "preference" and self.align > 0:
            raise PydanticCustomError("key", "align is given beside objective preference, which has none; take it out")
        if self.objective == "response" and self.beta is not None:
            raise PydanticCustomError("key", "beta is given beside objective response, which has none; take it out")
        return self

    def steps_of(self, examples: int) -> int:
        """Return the number of steps on so many training examples."""
        if self.epochs is not None:
            return self.epochs * math.ceil(examples / self.batch)
        return self.steps or STEPS


class PreferenceSettings(Record):
    """Preferences of what is safe and right, whoever asks: requests and questions that the study itself leaves out."""

    requests: int = Field(default=160, ge=1)
    """Harmful requests, each with a refusal as the chosen answer and a compliance as the rejected one."""
    questions: int = Field(default=160, ge=1)
    """Exam questions, each with the right answer and a wrong one."""
    held_out_share: float = Field(default=0.2, gt=0, lt=1)
    """Share of both that measures the held-out loss."""


class BuildSettings(VariantSettings):
    """A build, made from another: pruned, quantised, or trained further."""

    train: TrainSettings | None = None
    """How to train it further."""

    @model_validator(mode="after")
    def _trained_alone(self) -> Self:
        other = next((key for key in ("quantise", "importance", "prune", "fake_quantise") if getattr(self, key)), None)
        if self.train is not None and other is not None:
            words = "{other} is given beside train; make it a build of its own, from the trained one"
            raise PydanticCustomError("key", words, {"other": other})
        return self
