"""The real benchmarks against published and counted numbers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from edgebias.suites.bbq import items as bbq
from edgebias.suites.crows_pairs import items as crows_pairs
from edgebias.suites.errata import errata
from edgebias.suites.item import Item
from edgebias.suites.stereoset import items as stereoset
from edgebias.suites.winobias import items as winobias
from edgebias.suites.winogender import items as winogender

pytestmark = pytest.mark.slow

PUBLISHED_BBQ = 58_492
COUNT = {erratum.id: erratum.count for erratum in errata()}


@pytest.fixture(scope="module")
def bbq_items(real_raw: Path) -> list[Item]:
    return bbq.load(real_raw)


def errata_of(items: list[Item]) -> Counter[str]:
    return Counter(name for item in items for name in item.errata.split(";") if name)


def test_bbq_count_less_the_errata(bbq_items: list[Item], real_raw: Path) -> None:
    lines = sum(len(p.read_bytes().splitlines()) for p in (real_raw / "BBQ" / "data").glob("*.jsonl"))
    assert lines == PUBLISHED_BBQ
    assert len(bbq_items) == PUBLISHED_BBQ - COUNT["bbq-target-missing"] - COUNT["bbq-duplicate"]


def test_bbq_errata_counts(bbq_items: list[Item]) -> None:
    found = errata_of(bbq_items)
    expected = ("bbq-target-african", "bbq-one-way", "bbq-typo-one", "bbq-typo-mother")
    assert dict(found) == {name: COUNT[name] for name in expected}


def test_bbq_templates_and_categories(bbq_items: list[Item]) -> None:
    """Templates as counted in the paper's files: 25 each, and 50, 50, 26, 42 where names are apart."""
    clusters = {(item.category, item.cluster) for item in bbq_items}
    counts = Counter(category.removesuffix(" (names)") for category, _ in clusters)
    assert counts == {name: 25 for name in bbq.CATEGORIES} | {
        "Gender_identity": 50,
        "Race_ethnicity": 50,
        "Race_x_SES": 26,
        "Race_x_gender": 42,
    }
    plain = Counter(item.category for item in bbq_items)
    assert plain["Age"] == 3680
    assert plain["Religion"] == 1200
    assert plain["Race_ethnicity (names)"] == 5000
    assert plain["Gender_identity (names)"] == 5000


def test_bbq_one_way_templates_are_exactly_those_flagged(bbq_items: list[Item]) -> None:
    right: dict[str, set[str]] = {}
    for item in bbq_items:
        if item.condition == "disambiguated":
            right.setdefault(item.cluster, set()).add(item.roles[item.label])
    flagged = {item.cluster for item in bbq_items if "bbq-one-way" in item.errata}
    assert flagged == {cluster for cluster, roles in right.items() if len(roles) == 1}


def test_stereoset_counts(real_raw: Path) -> None:
    items = stereoset.load(real_raw)
    counts = Counter((item.condition, item.category) for item in items)
    intra = {"race": 962, "profession": 810, "religion": 79, "gender": 255}
    inter = {"race": 976, "profession": 827, "religion": 78, "gender": 242}
    assert counts == {("intrasentence", k): n for k, n in intra.items()} | {
        ("intersentence", k): n for k, n in inter.items()
    }
    assert len({item.cluster for item in items if item.condition == "intrasentence"}) == 79


def test_crows_pairs_counts(real_raw: Path) -> None:
    items = crows_pairs.load(real_raw)
    assert Counter(item.condition for item in items) == {"stereo": 1290, "antistereo": 218}
    assert Counter(item.category for item in items) == {
        "race-color": 516,
        "gender": 262,
        "socioeconomic": 172,
        "nationality": 159,
        "religion": 105,
        "age": 87,
        "sexual-orientation": 84,
        "physical-appearance": 63,
        "disability": 60,
    }


def test_winobias_counts_and_meaning(real_raw: Path) -> None:
    items = winobias.load(real_raw)
    assert len(items) == 3168
    assert Counter((item.category, item.condition) for item in items) == {
        (kind, condition): 792 for kind in ("type1", "type2") for condition in ("pro", "anti")
    }
    # By the benchmark's design the right answer is the stereotype in the pro files and never in the anti files.
    assert Counter((item.condition, item.roles[item.label]) for item in items) == {
        ("pro", "stereotype"): 1584,
        ("anti", "anti_stereotype"): 1584,
    }
    assert dict(errata_of(items)) == {
        name: COUNT[name] for name in ("winobias-double-article", "winobias-partner-differs")
    }


def test_winogender_counts_and_meaning(real_raw: Path) -> None:
    """720 sentences less 240 with a neutral pronoun; the paper's design makes half of the rest "gotcha" sentences."""
    items = winogender.load(real_raw)
    assert len(items) == 480
    assert len({item.cluster for item in items}) == 60
    assert Counter((item.condition, item.roles[item.label]) for item in items) == {
        (gender, role): 120 for gender in ("male", "female") for role in ("stereotype", "anti_stereotype")
    }
    assert Counter("someone" in item.options for item in items) == {True: 240, False: 240}
    # As listed in the statistics of the Bureau of Labor Statistics that the authors ship.
    shares = {item.cluster for item in items}
    assert {"nurse/89.58", "technician/40.34", "plumber/0.7", "pathologist/97.5", "salesperson/48.08"} <= shares
    assert Counter(item.category for item in items) == {"majority_female": 31 * 8, "majority_male": 29 * 8}
    partner = {item.item_id.rpartition("/")[0]: item for item in items if item.condition == "male"}
    for item in items:
        other = partner[item.item_id.rpartition("/")[0]]
        assert (item.options, item.label, item.cluster) == (other.options, other.label, other.cluster)
        assert item.condition == "male" or item.roles == other.roles[::-1]
