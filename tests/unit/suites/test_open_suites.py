"""BOLD and our own pairs: loaders, the turn of groups, and what an item without options may be."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebias.core.errors import InputError
from edgebias.suites.bold import items as bold
from edgebias.suites.bold.groups import BOLD_GROUPS
from edgebias.suites.building import build_items
from edgebias.suites.counterfactual import items as counterfactual
from edgebias.suites.errata import errata
from edgebias.suites.item import Design, Item, to_table
from edgebias.suites.split import ordered_clusters, split_clusters, strata_of
from edgebias.suites.subsample import SubsampleSettings, subsample

OWN_PAIRS = Path(__file__).parents[3] / "data" / "counterfactual"


def section(suite: str, per_cluster: int = 0, per_category: int = 0) -> dict[str, Any]:
    sizes = {"items_per_cluster": per_cluster, "clusters_per_category": per_category}
    return {"seed": 1, "prompts.calibration_share": 0.5, f"prompts.{suite}": sizes}


def test_bold_prompts_topics_and_groups(raw: Path) -> None:
    items = {item.item_id: item for item in bold.load(raw)}
    assert len(items) == 18 + 3 + 4 + 3
    first = items["bold/gender/American_actors/Mr_0/001"]
    assert (first.context, first.category, first.condition) == ("Mr 0 is an actor who", "gender", "American_actors")
    assert first.source == "BOLD/data/prompts/gender_prompt.json:American_actors:Mr_0:1"
    # the empty prompt and both repetitions within a group are gone; the same prompt in another group stays
    race = [item for item in items.values() if item.category == "race"]
    assert sorted((item.condition, item.cluster, item.context) for item in race) == [
        ("African_Americans", "race/Kim", "Kim was"),
        ("African_Americans", "race/Owens", "Owens ran"),
        ("Asian_Americans", "race/Kim", "Kim was"),
        ("Asian_Americans", "race/Lee", "Lee has"),
    ]


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ('{"American_actors": {"A": ["A is "]}', r"gender_prompt\.json: row 1: not valid JSON"),
        ('{"British_actors": {"A": ["A is "]}}', "'British_actors' is not a group of gender"),
        ('{"American_actors": {"A": "A is "}}', "American_actors: A: a list of texts"),
        ('{"American_actors": []}', "American_actors: an object that is not empty"),
        ("{}", "an object that is not empty"),
    ],
)
def test_bold_names_what_is_wrong(raw: Path, content: str, match: str) -> None:
    (raw / "BOLD" / "data" / "prompts" / "gender_prompt.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=match):
        bold.load(raw)


@pytest.mark.slow
def test_bold_counts_of_the_real_files(real_raw: Path) -> None:
    """23,679 prompts, as the README of BOLD says, less the errata."""
    if not (real_raw / bold.FOLDER).is_dir():
        pytest.skip(f"{real_raw / bold.FOLDER} is absent: run `make data` again")
    items = bold.load(real_raw)
    count = {erratum.id: erratum.count for erratum in errata()}
    assert len(items) == 23_679 - count["bold-empty"] - count["bold-duplicate"]
    assert {(item.category, item.condition) for item in items} == {
        (domain, group) for domain, groups in BOLD_GROUPS.items() for group in groups
    }
    published = {"gender": 3204, "race": 7657, "profession": 10_195, "political_ideology": 1984}
    published["religious_ideology"] = 639
    dropped = {"gender": 2, "race": 28, "profession": 106, "political_ideology": 49 + 3, "religious_ideology": 5 + 2}
    assert Counter(item.category for item in items) == {name: n - dropped[name] for name, n in published.items()}
    to_table([replace(item, split="held_out") for item in items])


def test_a_small_sample_of_bold_has_as_many_actresses_as_actors_in_both_splits(raw: Path) -> None:
    items = [item for item in build_items("bold", raw, section("bold", 1, 4)) if item.category == "gender"]
    assert Counter((item.condition, item.split) for item in items) == {
        (group, split): 1 for group in BOLD_GROUPS["gender"] for split in ("calibration", "held_out")
    }


def made(sizes: list[int]) -> list[Item]:
    """Groups of so many topics, one prompt each."""
    return [
        Item(
            item_id=f"bold/race/{group}/{topic}/001",
            suite="bold",
            category="race",
            cluster=f"race/{group}-{topic}",
            condition=f"g{group}",
            context="x",
            question="",
            options=(),
            roles=(),
            label=-1,
            source="made",
            errata="",
            design=Design("x", stratum=f"g{group}"),
        )
        for group, size in enumerate(sizes)
        for topic in range(size)
    ]


@settings(max_examples=60)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(1, 40), st.integers(0, 99))
def test_groups_take_turns_until_one_runs_out(sizes: list[int], wanted: int, seed: int) -> None:
    items = made(sizes)
    clusters = ordered_clusters(items, seed)
    splits = split_clusters(clusters, 0.5, strata_of(items))
    drawn = subsample(
        items, clusters, splits, SubsampleSettings(clusters_per_category=wanted, items_per_cluster=1), seed
    )
    assert len(drawn) == min(wanted, sum(sizes))
    counts = Counter(item.condition for item in drawn)
    most = max(counts.values())
    for group, size in enumerate(sizes):
        assert counts[f"g{group}"] >= min(size, most - 1)
        calibration = sum(splits[item.cluster] == "calibration" for item in drawn if item.condition == f"g{group}")
        assert calibration == counts[f"g{group}"] // 2
    larger = subsample(
        items, clusters, splits, SubsampleSettings(clusters_per_category=wanted + 1, items_per_cluster=1), seed
    )
    assert set(drawn) <= set(larger)


def test_own_pairs_differ_in_the_person_alone() -> None:
    items = counterfactual.load(OWN_PAIRS)
    pairs: dict[str, dict[str, Item]] = {}
    for item in items:
        pairs.setdefault(item.cluster, {})[item.condition] = item
    assert len(pairs) >= 40
    assert min(Counter(name.partition("/")[0] for name in pairs).values()) >= 8
    texts = {yaml_text for path in OWN_PAIRS.glob("*.yaml") for yaml_text in tails(path)}
    assert len(texts) == len(pairs)  # no text is used twice
    for pair in pairs.values():
        assert set(pair) == {"group_a", "group_b"}
        a, b = (pair[name].context for name in ("group_a", "group_b"))
        assert a != b
        tail = next(text for text in texts if a.endswith(text))
        assert b.endswith(tail)
        # the continuation must not be steered by a pronoun of one gender
        if pair["group_a"].category == "gender":
            assert not set(tail.lower().replace(",", "").split()) & {"he", "she", "his", "her", "him", "hers"}


def tails(path: Path) -> list[str]:
    return [entry["text"].removeprefix("{person}") for entry in yaml.safe_load(path.read_text())["templates"]]


def test_own_pairs_are_clean_english() -> None:
    for item in counterfactual.load(OWN_PAIRS):
        assert item.context[0].isupper()
        assert item.context[-1].isalpha()  # the sentence goes on
        assert "  " not in item.context
        words = item.context.replace(",", "").split()
        for article, following in pairwise(words):
            if article.lower() in {"a", "an"}:
                assert (article.lower() == "an") == (following[0].lower() in "aeiou"), item.context


def test_half_a_pair_is_refused() -> None:
    assert len(build_items("counterfactual", OWN_PAIRS, section("counterfactual", 2, 3))) == 30
    with pytest.raises(InputError, match=r"prompts\.counterfactual\.items_per_cluster: 1 splits sets of 2"):
        build_items("counterfactual", OWN_PAIRS, section("counterfactual", 1, 3))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda c: c.update(attribute="age"), "'attribute' is 'age'"),
        (lambda c: c["groups"].pop("group_b"), "groups: key 'group_b' is missing"),
        (lambda c: c.update(templates=[]), "'templates' must be a list"),
        (lambda c: c["templates"][0].pop("text"), "template 1: key 'text' is missing"),
        (lambda c: c["templates"][1].update(id="one"), "template 2: id 'one' is used twice"),
        (lambda c: c["templates"][0].update(text="I saw {person} and"), "template 1: text must open with"),
        (lambda c: c["templates"][0].update(text="{person} met {other} and"), "template 1: text must open with"),
        (lambda c: c["templates"][0].update(group_a="My uncle"), "template 1: both groups are 'My uncle'"),
    ],
)
def test_a_bad_pair_is_named(tmp_path: Path, change: Callable[[dict[str, Any]], Any], match: str) -> None:
    content: dict[str, Any] = {
        "attribute": "gender",
        "groups": {"group_a": "women", "group_b": "men"},
        "templates": [
            {"id": name, "group_a": "My aunt", "group_b": "My uncle", "text": "{person} sat down and"}
            for name in ("one", "two")
        ],
    }
    change(content)
    (tmp_path / "gender.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(InputError, match=match):
        counterfactual.load(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no attribute file"):
        counterfactual.load(tmp_path)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"options": ("a", "b"), "roles": ("stereotype", "anti_stereotype"), "permutation": (0, 1)}, "has no options"),
        ({"label": 0}, "has no options"),
        ({"context": " "}, "no text to continue"),
        ({"suite": "bbq"}, "two or more options"),
    ],
)
def test_only_open_suites_have_items_without_options(changes: dict[str, Any], match: str) -> None:
    (item,) = made([1])
    item = replace(item, split="held_out")
    assert json.loads(to_table([item]).to_json(orient="records"))[0]["options"] == []
    with pytest.raises(InputError, match=match):
        to_table([replace(item, **changes)])
