"""CrowS-Pairs (Nangia et al., EMNLP 2020; nyu-mll/crows-pairs at 8aaac11c, CC BY-SA 4.0)."""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.formats import LIKELIHOOD

SUITE = Suite(
    name="crows_pairs",
    title="CrowS-Pairs",
    items="edgebias.suites.crows_pairs.items",
    metrics="edgebias.suites.crows_pairs.metrics",
    conditions=("stereo", "antistereo"),
    formats=(LIKELIHOOD,),
    primary=((LIKELIHOOD, "crows_pairs_full_sentence"),),
    contrasted=("crows_pairs_full_sentence",),
    pairs_of_sentences=True,
    panels=("crows_pairs_full_sentence",),
    teaches=True,
    files=(PublishedFile("CrowS-Pairs/data/crows_pairs_anonymized.csv", "28fa7d906a83d441001fb2a0eeae28c6d64a99e1"),),
)
