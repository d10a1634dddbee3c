"""Our own pairs of texts that differ in one group name, for the model to continue."""

from __future__ import annotations

from edgebias.suites.base import Suite
from edgebias.suites.counterfactual.groups import GROUP_A, GROUP_B
from edgebias.suites.formats import CONTINUATION

SUITE = Suite(
    name="counterfactual",
    title="Counterfactual",
    items="edgebias.suites.counterfactual.items",
    metrics="edgebias.suites.counterfactual.metrics",
    conditions=(GROUP_A, GROUP_B),
    formats=(CONTINUATION,),
    primary=((CONTINUATION, "sentiment_gap"),),
    contrasted=("sentiment_gap", "toxicity_gap"),
    matched=2,
    open_ended=True,
    own_files="data/counterfactual/*.yaml",
)
