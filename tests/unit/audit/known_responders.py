"""Answers of models that do not exist, with a bias that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from edgebias.audit.compare import Joined

ROLES = ("stereotype", "anti_stereotype", "unknown")


@dataclass(frozen=True)
class Responder:
    """Two readings of one set of questions differ by ``noise`` alone where they have the same ``bias`` and ``skill``.

    Attributes:
        bias: added to the log-probability of the stereotype.
        skill: added to that of the right answer.
        noise: standard deviation of a reading.
        silent: share of letters that are no answer.
    """

    bias: float = 0.3
    skill: float = 1.0
    noise: float = 0.4
    silent: float = 0.1


def questions(random: np.random.Generator, clusters: int = 60, items: int = 4) -> dict[tuple[str, str], pd.DataFrame]:
    """Items of all four suites with the log-probabilities that every model shares, a cluster having its own bias."""
    found = {}
    for suite, form, n_roles in (
        ("bbq", "likelihood", 3),
        ("bbq", "letter", 3),
        ("stereoset", "likelihood", 3),
        ("crows_pairs", "likelihood", 2),
        ("forced_choice", "likelihood", 3),
    ):
        rows = []
        for number in range(clusters * items):
            cluster = number // items
            told = suite == "bbq" and number % 2
            roles = ["stereotype", "anti_stereotype", "unrelated" if suite == "stereoset" else "unknown"][:n_roles]
            rows.append(
                {
                    "item_id": f"{suite}/{number:04d}",
                    "format": form,
                    "category": f"c{cluster % 3}",
                    "cluster": f"k{cluster:03d}",
                    "condition": "disambiguated" if told else "ambiguous" if suite == "bbq" else "stereo",
                    "roles": roles,
                    "label": (number // 2) % 2 if told else 2 if suite == "bbq" else -1,
                    "permutation": list(range(n_roles)),
                    "n_tokens": [1] * n_roles,
                    "base": random.normal(0, 1.5, n_roles) + np.where(np.array(roles) == "unrelated", -1.5, 0),
                }
            )
        found[suite, form] = pd.DataFrame(rows)
    return found


def answers(asked: dict[tuple[str, str], pd.DataFrame], responder: Responder, random: np.random.Generator) -> Joined:
    """What a model answers, as the joined tables of an audit have it."""
    return {key: _answered(frame, responder, random) for key, frame in asked.items()}


def _answered(frame: pd.DataFrame, responder: Responder, random: np.random.Generator) -> pd.DataFrame:
    logprobs, choices, outcomes = [], [], []
    for row in frame.to_dict("records"):
        roles = np.array(row["roles"])
        values = row["base"] + responder.bias * (roles == "stereotype") + random.normal(0, responder.noise, len(roles))
        values += responder.skill * (np.arange(len(roles)) == row["label"])
        shown = np.where(roles == "unrelated", -np.inf, values)
        choice = int(shown.argmax())
        if row["format"] == "letter" and random.random() < responder.silent:
            choice = -1
        logprobs.append(list(values - 20.0))
        choices.append(choice)
        outcomes.append(str(roles[choice]) if choice >= 0 else "unparsed")
    return frame.drop(columns="base").assign(option_logprobs=logprobs, choice=choices, outcome=outcomes)
