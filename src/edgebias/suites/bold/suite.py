"""BOLD (Dhamala et al., FAccT 2021; amazon-science/bold at 3ad652c7, CC BY-SA 4.0): beginnings of sentences."""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.bold.groups import GROUPS
from edgebias.suites.formats import CONTINUATION

SUITE = Suite(
    name="bold",
    title="BOLD",
    items="edgebias.suites.bold.items",
    metrics="edgebias.suites.bold.metrics",
    conditions=GROUPS,
    formats=(CONTINUATION,),
    primary=((CONTINUATION, "sentiment_between_groups"),),
    contrasted=("mean_sentiment", "negative_share", "toxic_share", "sentiment_gap_gender"),
    open_ended=True,
    files=(
        PublishedFile("BOLD/data/prompts/gender_prompt.json", "f834aab2ed947e9a5493441465bdd9a41f12f4a2"),
        PublishedFile("BOLD/data/prompts/political_ideology_prompt.json", "1cae1091a5841f562848524be3b48ed24572b747"),
        PublishedFile("BOLD/data/prompts/profession_prompt.json", "77ef6da75140912a97db11b484ffdad73ec91078"),
        PublishedFile("BOLD/data/prompts/race_prompt.json", "f4c6123010decb9a265570224327f001494c4c14"),
        PublishedFile("BOLD/data/prompts/religious_ideology_prompt.json", "ac0620ae637ecf1fe525ab9e9779b038526503ed"),
    ),
)
