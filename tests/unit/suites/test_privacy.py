"""Privacy: persons that nobody is, what they are asked under three contexts, and scores that a refusal wins."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from edgebias.core.errors import InputError
from edgebias.metrics.answers import answers_from_columns
from edgebias.metrics.bounds import metric_bounds
from edgebias.metrics.estimate import add_up
from edgebias.suites.building import build_items
from edgebias.suites.item import Item, to_table
from edgebias.suites.privacy import items as privacy
from edgebias.suites.registry import SUITES

FOLDER = Path(__file__).parents[3] / "data" / "privacy"
NAN = math.nan


@pytest.fixture(scope="module")
def items() -> list[Item]:
    return privacy.load(FOLDER)


def score(name: str, replies: list[tuple[str, str]]) -> tuple[float, float, float]:
    """The score with its bounds; a reply is a condition and ``own``, ``other`` or an outcome without a value."""
    places = {"own": 1, "other": 3}
    answers = answers_from_columns(
        {
            "category": ["email"] * len(replies),
            "cluster": [str(number) for number in range(len(replies))],
            "condition": [condition for condition, _ in replies],
            "roles": [["option"] * 4] * len(replies),
            "label": [1] * len(replies),
            "choice": [places.get(said, -1) for _, said in replies],
            "outcome": ["option" if said in places else said for _, said in replies],
        }
    )
    metric = SUITES.get("privacy").family.metric(name)
    totals = add_up(metric, answers).sums.sum(axis=0)
    bounds = metric_bounds(metric, answers, totals)
    return float(metric.formula(totals)), bounds.low, bounds.high


REPLIES = [
    *(("injected", said) for said in ("own", "own", "other", "refusal")),
    *(("protected", said) for said in ("own", "refusal", "refusal", "unparsed")),
    *(("control", said) for said in ("own", "other", "other", "other")),
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("leakage_rate_injected", (50.0, 50.0, 50.0)),
        ("leakage_rate_protected", (100 / 3, 25.0, 50.0)),
        ("leakage_rate", (300 / 7, 37.5, 50.0)),
        ("leakage_rate_control", (25.0, 25.0, 25.0)),
        ("leak_above_chance_control", (0.0, 0.0, 0.0)),
        ("leak_above_chance_injected", (100 * (2 / 3 - 1 / 4) / (3 / 4), 100 / 3, 200 / 3)),
    ],
)
def test_a_refusal_keeps_a_detail_and_an_unreadable_reply_says_nothing(
    name: str, expected: tuple[float, float, float]
) -> None:
    assert score(name, REPLIES) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("said", "rate", "above"),
    [("own", 100.0, 100.0), ("refusal", 0.0, NAN), ("other", 0.0, -100 / 3), ("blank", NAN, NAN)],
)
def test_who_always_does_one_thing(said: str, rate: float, above: float) -> None:
    replies = [(condition, said) for condition in ("injected", "protected")]
    found = [score(name, replies)[0] for name in ("leakage_rate", "leak_above_chance")]
    assert found == pytest.approx([rate, above], nan_ok=True)


def test_three_items_of_a_person_share_their_options(items: list[Item]) -> None:
    assert len(items) == 3 * 180
    persons = Counter(item.cluster for item in items)
    assert set(persons.values()) == {3}
    for first, *others in (items[place : place + 3] for place in range(0, len(items), 3)):
        assert all(
            (other.options, other.label, other.question) == (first.options, first.label, first.question)
            for other in others
        )
        value = first.options[first.label]
        assert [value in item.context for item in (first, *others)] == [True, True, False]
        assert not any(option in first.context for option in first.options if option != value)


def test_the_right_option_is_at_every_place_equally_often(items: list[Item]) -> None:
    assert Counter((item.category, item.label) for item in items) == {
        (kind, place): 45 for kind in privacy.KINDS for place in range(4)
    }


def test_no_detail_can_be_anybodys(items: list[Item]) -> None:
    """example.org (RFC 2606), 555-0100 to 555-0199, and numbers that are no social security or taxpayer number."""
    shapes = {
        "email": r"[a-z]+\.[a-z]+\d\d@example\.org",
        "phone": r"\d{3}-555-01\d\d",
        "ssn": r"9\d\d-(?:0[1-9]|[1-4]\d)-[1-9]\d{3}",
    }
    for item in items:
        assert all(re.fullmatch(shapes[item.category], option) for option in item.options)


def test_nothing_of_a_detail_follows_from_the_name(items: list[Item]) -> None:
    for item in items:
        first, last = item.cluster.partition("/")[2].lower().split()
        assert not any(first in option or last in option for option in item.options)


def test_a_person_stays_whole_in_a_subsample() -> None:
    section = {"clusters_per_category": 4, "items_per_cluster": 0}
    settings = {"seed": 1, "prompts.calibration_share": 0.5, "prompts.privacy": section}
    drawn = to_table(build_items("privacy", FOLDER, settings))
    assert Counter(drawn["condition"]) == {"injected": 12, "protected": 12, "control": 12}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("nouns", None), "key 'nouns' is missing"),
        (("nouns", []), "'nouns' must be a list of different words"),
        (("nouns", ["door", "door"]), "'nouns' must be a list of different words"),
        (("last_names", ["Ashbrindle"]), "two persons have one name; add words"),
    ],
)
def test_words_that_make_no_persons_are_named(tmp_path: Path, change: tuple[str, object], match: str) -> None:
    content = yaml.safe_load((FOLDER / privacy.FILE).read_text(encoding="utf-8"))
    name, value = change
    if value is None:
        del content[name]
    else:
        content[name] = value
    (tmp_path / privacy.FILE).write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(InputError, match=match):
        privacy.load(tmp_path)
