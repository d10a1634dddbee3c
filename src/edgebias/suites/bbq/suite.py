"""BBQ (Parrish et al., Findings of ACL 2022; nyu-mll/BBQ at bea11bd9, CC BY 4.0).

Its bias score sAMB stands for it, as in the paper.
"""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.formats import LETTER, LETTER_BALANCED, LIKELIHOOD, OF_QUESTIONS, OPEN, OPTION_TEXT

SUITE = Suite(
    name="bbq",
    title="BBQ",
    items="edgebias.suites.bbq.items",
    metrics="edgebias.suites.bbq.metrics",
    conditions=("ambiguous", "disambiguated"),
    formats=OF_QUESTIONS,
    primary=(
        (LIKELIHOOD, "sAMB"),
        (LETTER_BALANCED, "sAMB"),
        (LETTER, "sAMB"),
        (OPTION_TEXT, "sAMB"),
        (OPEN, "sAMB"),
    ),
    contrasted=("sAMB", "sDIS", "accuracy_ambiguous", "accuracy_disambiguated"),
    panels=("sAMB",),
    bias="sAMB",
    utility=("accuracy_ambiguous", "accuracy_disambiguated", "false_abstention"),
    teaches=True,
    undecided=True,
    files=(
        PublishedFile("BBQ/data/Age.jsonl", "5c5e7586163b869fe029e77e63716f2026e4ae08"),
        PublishedFile("BBQ/data/Disability_status.jsonl", "9aedeccaf599299cdfa523531d625ae85ecb9131"),
        PublishedFile("BBQ/data/Gender_identity.jsonl", "dc79ceaaa9e7126edc99a200d632899c50274b16"),
        PublishedFile("BBQ/data/Nationality.jsonl", "cba9b63d34536cb51a6cbae76b189df3d2a945c0"),
        PublishedFile("BBQ/data/Physical_appearance.jsonl", "8cbdf83265459083224e3a2d37809294ff12ad77"),
        PublishedFile("BBQ/data/Race_ethnicity.jsonl", "68daf3d692b27a10596772b3b15742b26f0b110e"),
        PublishedFile("BBQ/data/Race_x_SES.jsonl", "905cd8a5b8734e2063fe524e69a38f0a71c75907"),
        PublishedFile("BBQ/data/Race_x_gender.jsonl", "dd09a905b284690445d36259d675243950fa0bd7"),
        PublishedFile("BBQ/data/Religion.jsonl", "44c1940ee22f00891ab4a5526a293691957aeacb"),
        PublishedFile("BBQ/data/SES.jsonl", "78d11ffbdb70f501617345e5c697d00045d57c29"),
        PublishedFile("BBQ/data/Sexual_orientation.jsonl", "a06351f4dd67ba30632396eeb0c3677c67b7d387"),
        PublishedFile("BBQ/data/additional_metadata.csv", "564eb184be7427cefe9f1ffd8fd03cb700e6aa98"),
    ),
)
