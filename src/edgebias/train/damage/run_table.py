"""The table of networks, and the names of damages, adaptations and scores in it."""

from __future__ import annotations

from edgebias.core.table import Column, Table, at_least, between, one_of
from edgebias.train.damage.images import DOMAINS

OWN, LINEAR, NETWORK, SPECTRUM = "own_output", "linear", "network", "spectrum"
ADAPTATIONS = (OWN, LINEAR, NETWORK, SPECTRUM)
"""What reads features: the pre-trained last layer, a linear probe, a small network, and that with the regulariser."""

CLEAN, UNTRAINED = "none", "untrained"
CORRUPTED, LONG_TAIL, LABEL_NOISE, FOREIGN, TRIGGER = (
    "corrupted",
    "long_tail",
    "label_noise",
    "out_of_domain",
    "trigger",
)
DAMAGES = (CORRUPTED, LONG_TAIL, LABEL_NOISE, FOREIGN, TRIGGER)
UNWEIGHTED, REWEIGHTED = "none", "inverse_frequency"

RARE = 3
"""Digits at the end of a seed's order, which are the rare ones of its long tail; scored in every run of the seed."""

MEASURES = ("accuracy", "rare_digits", "worst_digit", "trigger_success", "effective_rank", "largest_share")

_PERCENT = between(0.0, 100.0)

DAMAGE_RUN = Table(
    name="damage run",
    meaning="How well a small network that was pre-trained on damaged images reads clean ones of its own domain "
    "(MNIST) and of another (scikit-learn's digits), by damage, level, seed and adaptation.",
    path="results/{study}/damage/runs.csv",
    columns=(
        Column(
            "damage",
            "str",
            "what was wrong with the pre-training images; `none`; or `untrained`: first weights, never trained",
            rule=one_of((CLEAN, UNTRAINED, *DAMAGES)),
        ),
        Column(
            "level",
            "float",
            "share of pixels or images that are damaged; of `long_tail` the most frequent digit over the rarest",
            rule=at_least(0),
        ),
        Column(
            "weighting",
            "str",
            "of the pre-training loss: `inverse_frequency` gives every digit the same weight",
            rule=one_of((UNWEIGHTED, REWEIGHTED)),
        ),
        Column("seed", "int", "number of the seed: its images, weights and orders", rule=at_least(0)),
        Column(
            "adaptation",
            "str",
            "what reads the frozen features: `own_output`, the pre-trained last layer (before transfer); `linear`, a "
            "probe fitted to clean images of the domain; `network`, two layers; `spectrum`, these with the regulariser",
            rule=one_of(ADAPTATIONS),
        ),
        Column(
            "domain",
            "str",
            "the images that are read, and fitted to: `in_domain` MNIST, `out_of_domain` scikit-learn's digits",
            rule=one_of(DOMAINS),
        ),
        Column("accuracy", "float", "per cent of clean test images read right", rule=_PERCENT),
        Column(
            "rare_digits",
            "float",
            "the same, mean of the three digits that are the rarest in this seed's long tail",
            rule=_PERCENT,
        ),
        Column("worst_digit", "float", "the same, of the digit that is read worst", rule=_PERCENT),
        Column(
            "trigger_success",
            "float",
            "per cent of the test images of other digits that are read as the trigger's digit once they bear the mark",
            rule=_PERCENT,
        ),
        Column(
            "effective_rank",
            "float",
            "of what the last layer reads on test images: exponential of the entropy of the singular values",
            rule=at_least(1),
            undefined=True,
        ),
        Column(
            "largest_share",
            "float",
            "the largest singular value over their sum",
            rule=between(0.0, 1.0),
            undefined=True,
        ),
    ),
    order=("damage", "level", "weighting", "seed", "adaptation", "domain"),
)
