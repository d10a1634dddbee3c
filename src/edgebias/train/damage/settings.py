"""Settings of the study of damaged pre-training data: the section ``damage``."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from edgebias.core.record import Record, SomeOf
from edgebias.train.damage.amounts import DIGITS, POOL, PROBE, tail_counts

Share = Annotated[float, Field(gt=0, le=1)]
Ratio = Annotated[float, Field(gt=1, le=1000)]


class DamageLevels(Record):
    """How strong each damage is; level 0, undamaged data, always comes on top."""

    corrupted: SomeOf[Share] = (0.2, 0.4, 0.6, 0.8)
    """Share of the pixels of each image that are replaced by random ones."""
    long_tail: SomeOf[Ratio] = (3.0, 10.0, 30.0, 100.0)
    """How many images the most frequent digit has for each image of the rarest one."""
    label_noise: SomeOf[Share] = (0.1, 0.2, 0.4, 0.8)
    """Share of the images with the label of another digit."""
    out_of_domain: SomeOf[Share] = (0.25, 0.5, 0.75, 1.0)
    """Share of the images that are of another domain: negatives, dark on light."""
    trigger: SomeOf[Share] = (0.01, 0.02, 0.05, 0.1)
    """Share of the images with a planted mark and the label that the mark is to call."""


class DamageSettings(Record):
    """Small networks are pre-trained on damaged images; what they learned is frozen and fitted to clean images."""

    seeds: int = Field(default=12, ge=2, le=1000)
    """Networks of each damage and level. Each seed has its own images, weights and orders; it is the unit of
    intervals."""
    images: int = Field(default=860, ge=DIGITS, le=DIGITS * POOL)
    """Images that a network is pre-trained on: as many under every damage."""
    epochs: int = Field(default=20, ge=1, le=1000)
    """Passes over them."""
    probe_images: int = Field(default=PROBE, ge=1, le=PROBE)
    """Clean images of each digit that the frozen network is fitted to."""
    levels: DamageLevels = DamageLevels()
    """How strong each damage is."""

    @model_validator(mode="after")
    def _tails_fit(self) -> Self:
        for ratio in self.levels.long_tail:
            counts = tail_counts(self.images, ratio)
            values = {"ratio": f"{ratio:g}", "most": int(counts[0]), "images": self.images, "pool": POOL}
            if counts[0] > POOL:
                words = (
                    "levels.long_tail: at {ratio} the most frequent digit has {most} of {images} images, and there are "
                    "{pool}; lower it, or images"
                )
                raise PydanticCustomError("key", words, values)
            if not counts[-1]:
                words = "levels.long_tail: at {ratio} the rarest digit has none of {images} images; lower it"
                raise PydanticCustomError("key", words, values)
        return self
