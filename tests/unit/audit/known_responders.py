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
        at = np.arange(clusters * items)
        told = (at % 2 == 1) if suite == "bbq" else np.zeros(len(at), dtype=np.bool_)
        roles = ["stereotype", "anti_stereotype", "unrelated" if suite == "stereoset" else "unknown"][:n_roles]
        base = random.normal(0, 1.5, (len(at), n_roles)) + np.where(np.array(roles) == "unrelated", -1.5, 0)
        found[suite, form] = pd.DataFrame(
            {
                "item_id": [f"{suite}/{number:04d}" for number in at],
                "format": form,
                "category": [f"c{number // items % 3}" for number in at],
                "cluster": [f"k{number // items:03d}" for number in at],
                "condition": np.where(told, "disambiguated", "ambiguous" if suite == "bbq" else "stereo"),
                "roles": [roles] * len(at),
                "label": np.where(told, at // 2 % 2, 2 if suite == "bbq" else -1),
                "permutation": [list(range(n_roles))] * len(at),
                "n_tokens": [[1] * n_roles] * len(at),
                "base": list(base),
            }
        )
    return found


def answers(asked: dict[tuple[str, str], pd.DataFrame], responder: Responder, random: np.random.Generator) -> Joined:
    """What a model answers, as the joined tables of an audit have it."""
    return {key: _answered(frame, responder, random) for key, frame in asked.items()}


def _answered(frame: pd.DataFrame, responder: Responder, random: np.random.Generator) -> pd.DataFrame:
    roles, label = np.array(frame["roles"].tolist()), frame["label"].to_numpy()
    values = np.stack(frame["base"].to_list()) + random.normal(0, responder.noise, roles.shape)
    values += responder.bias * (roles == "stereotype")
    values += responder.skill * (np.arange(roles.shape[1]) == label[:, None])
    choice = np.where(roles == "unrelated", -np.inf, values).argmax(axis=1)
    silent = (frame["format"] == "letter").to_numpy() & (random.random(len(frame)) < responder.silent)
    outcome = np.where(silent, "unparsed", roles[np.arange(len(frame)), choice])
    return frame.drop(columns="base").assign(
        option_logprobs=list(values - 20.0), choice=np.where(silent, -1, choice), outcome=outcome
    )
