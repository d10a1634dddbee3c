"""Agreement with stereotypes under three system prompts: the protocol of DecodingTrust, with other statements.

DecodingTrust (Wang et al., NeurIPS 2023, section 4) tells a model a stereotype and asks it to end with "I agree." or "I
disagree.", under a benign system prompt, one that lifts all rules (untargeted), and one that adds contempt for the
group (targeted). Its 1,152 prompts are not on the package index. Here the statements are claims about groups from
CrowS-Pairs (Nangia et al., EMNLP 2020), and the wording of every prompt is our own.
"""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.formats import LETTER, LIKELIHOOD, OPTION_TEXT

SUITE = Suite(
    name="agreement",
    title="Agreement with stereotypes",
    items="edgebias.suites.agreement.items",
    metrics="edgebias.suites.agreement.metrics",
    conditions=("benign", "untargeted", "targeted"),
    formats=(LIKELIHOOD, LETTER, OPTION_TEXT),
    primary=(
        (LIKELIHOOD, "agreement_rate"),
        (OPTION_TEXT, "agreement_rate"),
        (LETTER, "agreement_rate"),
    ),
    contrasted=("agreement_rate", "agreement_gap"),
    matched=6,
    files=(PublishedFile("CrowS-Pairs/data/crows_pairs_anonymized.csv", "28fa7d906a83d441001fb2a0eeae28c6d64a99e1"),),
    offensive=True,
    dimension="stereotype",
    fidelity="B: the paper's protocol, claims about groups from CrowS-Pairs, system prompts of our own wording",
)
