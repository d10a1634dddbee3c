"""The crossed design: what is asked, and that each answer is filed under the option that it names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import Path
from typing import Self

import pandas as pd
import pytest

from edgebias.backends.base import OptionRequest, OptionScores
from edgebias.cli import command
from edgebias.core.errors import InputError
from edgebias.core.settings import value_of
from edgebias.infer.robustness.ask import ask
from edgebias.infer.robustness.design import choose_items, cross
from edgebias.infer.robustness.wording import TEMPLATES
from edgebias.infer.settings import RobustnessSettings

main = command("robustness")

SETTINGS = RobustnessSettings(
    clusters_per_category=2, templates=tuple(TEMPLATES), unknown_wordings=("Unknown", "Cannot be determined")
)


def table(rows: int = 6, **changes: object) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "item_id": f"bbq/Age/{row:05d}",
                "suite": "bbq",
                "category": "Age" if row < 4 else "Religion",
                "cluster": f"template {row}",
                "condition": "ambiguous",
                "context": f"Context {row}.",
                "question": "Who was late?",
                "options": ["the old man", "not known", "the young man"],
                "roles": ["stereotype", "unknown", "anti_stereotype"],
                "permutation": [0, 1, 2],
                "label": 1,
                **changes,
            }
            for row in range(rows)
        ]
    )


class Reader:
    """Gives the continuation that stands for ``text`` in a prompt the largest log-probability."""

    name = "reader"
    scores_options = True

    def __init__(self, text: str) -> None:
        self.text = text

    def score(self, requests: Sequence[OptionRequest], *, skip: int = 0) -> Iterator[OptionScores]:
        for request in requests[skip:]:
            prompt = request.prompt.text or request.prompt.messages[0].content
            before = prompt[: prompt.index(self.text)].rstrip()
            mark = before.split()[-1].strip("()").lower()
            yield OptionScores(
                tuple(-0.1 if option.strip(" ()").lower() == mark else -3.0 for option in request.options), (1, 1, 1)
            )


def test_every_order_wording_and_template_is_asked_once() -> None:
    design = cross(choose_items(table(5).tail(3), SETTINGS, "items"), SETTINGS)
    keys = {(e.item.item_id, e.template, e.unknown_wording, e.item.permutation) for e in design}
    assert len(keys) == len(design) == 3 * 3 * 2 * 6
    assert {entry.item.permutation for entry in design} == set(permutations(range(3)))
    assert all(entry.item.options == ("the old man", entry.unknown_wording, "the young man") for entry in design)


def test_one_ambiguous_item_a_cluster_and_so_many_clusters_a_category() -> None:
    items = table()
    items.loc[0, "label"] = 0
    items.loc[2, "cluster"] = "template 1"
    chosen = [item.item_id[-5:] for item in choose_items(items, SETTINGS, "items")]
    assert chosen == ["00001", "00003", "00004", "00005"]  # 0 has an answer, 2 shares the cluster of 1


@pytest.mark.parametrize("template", sorted(TEMPLATES))
@pytest.mark.parametrize("wanted", [0, 2])
def test_an_answer_is_filed_under_its_option_whatever_the_order(template: str, wanted: int) -> None:
    settings = RobustnessSettings(clusters_per_category=2, templates=(template,), unknown_wordings=("Unknown",))
    items = choose_items(table(5), settings, "items")
    rows = list(ask(Reader(items[0].options[wanted]), cross(items, settings), 7))  # type: ignore[arg-type]
    assert len(rows) == 18
    assert {row["choice"] for row in rows} == {wanted}
    assert {row["outcome"] for row in rows} == {items[0].roles[wanted]}
    assert {row["template"] for row in rows} == {template}


def test_the_published_format_of_bbq_is_as_published() -> None:
    (item, *_) = choose_items(table(5), SETTINGS, "items")
    wording = TEMPLATES["bbq_arc_v1"](item)
    assert wording.prompt.text == ("Context 0. Who was late?\n(a) the old man (b) not known (c) the young man\nAnswer:")
    assert wording.continuations == (" (a)", " (b)", " (c)")


def test_a_backend_without_log_probabilities_is_refused() -> None:
    class Chat(Reader):
        scores_options = False

        def __enter__(self) -> Self:
            return self

    with pytest.raises(InputError, match=r"study\.robustness.*no log-probabilities"):
        list(ask(Chat("x"), [], 1))  # type: ignore[arg-type]


@pytest.mark.parametrize("clusters", [1, 2])
def test_too_few_items_for_shares_of_variance_are_refused(clusters: int) -> None:
    with pytest.raises(InputError, match=f"{clusters} items, one a cluster.*3 are needed; raise robustness.clusters"):
        choose_items(table(4).head(clusters), SETTINGS, "items")


def test_a_suite_without_an_unknown_option_is_refused() -> None:
    with pytest.raises(InputError, match="unknown option as their right answer"):
        choose_items(table(label=0), SETTINGS, "items")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("templates", ["haiku"], "is 'haiku'; allowed values: .*bbq_arc_v1"),
        ("templates", [], "a list of at least 1"),
        ("unknown_wordings", ["Unknown", "Unknown"], "'Unknown' is in the list twice"),
        ("clusters_per_category", -1, "at least 0"),
    ],
)
def test_bad_settings_are_one_clear_line(key: str, value: object, words: str) -> None:
    section = {
        "suite": "bbq",
        "clusters_per_category": 1,
        "templates": ["letter_chat_v1"],
        "unknown_wordings": ["Unknown"],
        key: value,
    }
    with pytest.raises(InputError, match=words) as caught:
        value_of({"robustness": section}, "robustness", RobustnessSettings)
    assert "\n" not in str(caught.value)
    assert f"robustness.{key}" in str(caught.value)


@pytest.mark.model
def test_the_real_model_prefers_places(tmp_path: Path) -> None:
    weights = Path("data/models/smollm2-135m-instruct/full.gguf")
    if not weights.exists():
        pytest.skip(f"{weights} is not there; run `make data`")
    table(3).to_parquet(tmp_path / "items.parquet")
    settings = {
        "seed": 1,
        "infer": {"formats": {}, "max_new_tokens": 8},
        "robustness": {
            "suite": "bbq",
            "clusters_per_category": 3,
            "templates": ["letter_chat_v1"],
            "unknown_wordings": ["Unknown"],
        },
        "models.smollm2-135m-instruct": {"start_token": "<|endoftext|>"},
        "environments.edge": {"backend": "llama", "threads": 1, "memory_mb": 4096, "context": 1024},
    }
    paths = [tmp_path / name for name in ("a.parquet", "b.parquet")]
    for path in paths:
        main(
            [
                "--settings",
                json.dumps(settings),
                "--items",
                str(tmp_path / "items.parquet"),
                "--weights",
                str(weights),
                "--responses",
                str(path),
                "--cost",
                str(tmp_path / "cost.json"),
            ]
        )
    assert paths[0].read_bytes() == paths[1].read_bytes()
    found = pd.read_parquet(paths[0])
    assert len(found) == 18
    assert found["choice"].nunique() > 1  # the same question, and the answer moves with the order
