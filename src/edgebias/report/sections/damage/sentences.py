"""What the study of damaged pre-training found, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from edgebias.report.numbers import number
from edgebias.report.sections.damage.rows import (
    EFFECTS,
    FOUR,
    MENDED,
    WORDS,
    Found,
    Row,
    at_worst,
    is_sure,
    level_of,
    sized,
)
from edgebias.report.table import value_of
from edgebias.train.damage.images import DOMAINS, IN_DOMAIN, OUT_OF_DOMAIN
from edgebias.train.damage.run_table import (
    CLEAN,
    LINEAR,
    LONG_TAIL,
    NETWORK,
    OWN,
    REWEIGHTED,
    SPECTRUM,
    TRIGGER,
    UNTRAINED,
)


def finding(found: Found) -> str:
    """Return what a reader takes home; empty where nothing was measured."""
    if not found.get(EFFECTS):
        return ""
    rows = found[EFFECTS]
    pairs = [
        (row, domain) for damage in FOUR for domain in DOMAINS if (row := _after(rows, damage, domain)) is not None
    ]
    inside, outside = (_surely([row for row, of in pairs if of == domain]) for domain in DOMAINS)
    trigger = at_worst(rows, **_where(TRIGGER, LINEAR, OUT_OF_DOMAIN, "trigger_success"))
    told = [
        f"Fitted to clean images, networks stay worse beyond doubt after {inside} of {len(FOUR)} damages in-domain, "
        f"and after {outside} out-of-domain (worst levels)."
    ]
    if trigger is not None:
        told.append(f"A planted trigger gains {sized(trigger)} points of success on another kind of images.")
    return " ".join([*told, mitigate_sentence(found)])


def understand_sentence(found: Found) -> str:
    """Return what the damages cost, before transfer and after it."""
    rows = found[EFFECTS]
    told = []
    for damage in FOUR:
        own = at_worst(rows, **_where(damage, OWN, IN_DOMAIN, "accuracy"))
        inside, outside = (_after(rows, damage, domain) for domain in DOMAINS)
        if own is None or inside is None or outside is None:
            continue
        told.append(
            f"{WORDS[damage].capitalize()} ({level_of(own)}): the network itself changes by {sized(own)} points. "
            f"After transfer that is {sized(inside)} in-domain and {sized(outside)} out-of-domain."
        )
    floor = [row for domain in DOMAINS if (row := _after(rows, UNTRAINED, domain)) is not None]
    if len(floor) == len(DOMAINS):
        told.append(
            f"For scale: a network that was never trained is at {sized(floor[0])} in-domain and at {sized(floor[1])} "
            "out-of-domain."
        )
    return " ".join(told)


def interpret_sentence(found: Found) -> str:
    """Return how the spectrum of clean images changes with each damage."""
    rows = [
        row
        for damage in FOUR
        if (row := at_worst(found[EFFECTS], **_where(damage, LINEAR, IN_DOMAIN, "effective_rank"))) is not None
    ]
    fewer, more = ([WORDS[str(row["damage"])] for row in rows if is_sure(row, sign)] for sign in (-1, 1))
    told = []
    if rows:
        filled = number(value_of(rows[0]["clean"]))
        told.append(f"Undamaged, the features of clean images fill {filled} directions (effective rank).")
    if fewer:
        told.append(f"Fewer are filled with {_listed(fewer)}.")
    if more:
        told.append(f"More are filled with {_listed(more)}.")
    if rows and not fewer and not more:
        told.append("No damage changes that beyond doubt.")
    return " ".join(told)


def mitigate_sentence(found: Found) -> str:
    """Return what re-weighting and the regulariser win back at the worst levels."""
    rows = found[MENDED]
    told = []
    weighted = [
        at_worst(rows, LONG_TAIL, method=REWEIGHTED, against=LINEAR, domain=domain, measure="rare_digits")
        for domain in DOMAINS
    ]
    if None not in weighted:
        told.append(
            f"Re-weighting the long tail moves the rare digits by {sized(weighted[0])} points in-domain and "
            f"{sized(weighted[1])} out-of-domain, after transfer."
        )
    shaped = [
        tuple(
            at_worst(rows, damage, method=SPECTRUM, against=against, domain=domain, measure="accuracy")
            for against in (LINEAR, NETWORK)
        )
        for damage in FOUR
        for domain in DOMAINS
    ]
    if shaped and all(row is not None for pair in shaped for row in pair):
        better = sum(is_sure(pair[0], 1) for pair in shaped)
        both = sum(is_sure(pair[0], 1) and is_sure(pair[1], 1) for pair in shaped)
        told.append(
            f"Tuning with the spectrum regulariser beats the linear probe beyond doubt in {better} of {len(shaped)} "
            f"pairs of damage and domain."
        )
        if better:
            told.append(f"In {both} of these it also beats the same network without the regulariser.")
        plain = [
            at_worst(rows, CLEAN, method=SPECTRUM, against=LINEAR, domain=domain, measure="accuracy")
            for domain in DOMAINS
        ]
        if None not in plain:
            told.append(
                f"Without any damage it changes accuracy by {sized(plain[0])} points in-domain and {sized(plain[1])} "
                "out-of-domain."
            )
    return " ".join(told)


def _surely(rows: Sequence[Row]) -> int:
    return sum(is_sure(row, -1) for row in rows)


def _after(rows: Sequence[Row], damage: str, domain: str) -> Row | None:
    return at_worst(rows, **_where(damage, LINEAR, domain, "accuracy"))


def _where(damage: str, adaptation: str, domain: str, measure: str) -> dict[str, str]:
    return {"damage": damage, "adaptation": adaptation, "domain": domain, "measure": measure}


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
