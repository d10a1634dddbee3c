"""What arXiv:2402.01909 says of damaged pre-training data, each claim with a verdict computed from the tables.

It is a position paper: it has no numbers of its own, and the claims are put here so that they can fail.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edgebias.report.numbers import number
from edgebias.report.sections.damage.rows import (
    DOSES,
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
from edgebias.report.table import Table, value_of
from edgebias.report.trust_claims import NOT_SUPPORTED, NOT_TESTABLE, SUPPORTED, Verdict
from edgebias.train.damage.effects import BETWEEN
from edgebias.train.damage.images import DOMAINS, IN_DOMAIN, OUT_OF_DOMAIN
from edgebias.train.damage.run_table import LABEL_NOISE, LINEAR, LONG_TAIL, NETWORK, REWEIGHTED, SPECTRUM, TRIGGER

TOO_SMALL = "too small to see"

MARGIN = 1.0
"""Points that are worth finding: where no interval reaches them, nothing is passed on."""

NO_SEEDS = "too few seeds for an interval"


def claims_table(found: Found) -> Table:
    """Return the claims with their verdicts."""
    judged = [
        *(passes_on(damage, found) for damage in FOUR),
        grows(found),
        generalises_worse(found),
        slight_noise_helps(found),
        reaches_the_rare(found),
        survives(found),
        is_visible(found),
        reweighting_mends(found),
        tuning_mends(found),
        Verdict(
            "What was learned by heart can be extracted", NOT_TESTABLE, "a network that sorts digits tells nothing"
        ),
        Verdict("Values are misaligned", NOT_TESTABLE, "digits have none"),
    ]
    return Table(
        "What arXiv 2402.01909 says, put so that it can fail, and what it comes to on these images",
        ("Claim", "Verdict", "Because"),
        tuple((one.claim, one.verdict, one.because) for one in judged),
    )


def passes_on(damage: str, found: Found) -> Verdict:
    """Judge: supported where a clean probe is worse beyond doubt, not where no interval reaches the margin."""
    claim = f"{WORDS[damage].capitalize()}: what is inherited outlasts an adaptation to clean images"
    rows = [row for domain in DOMAINS if (row := _after(found, damage, domain, "accuracy")) is not None]
    return _judged(claim, rows, -1, MARGIN, _accuracy)


def grows(found: Found) -> Verdict:
    """Judge the slopes of the probe's accuracy over levels."""
    claim = "More damage, more inheritance"
    rows = [
        row
        for row in found[DOSES]
        if row["damage"] in FOUR and _is(row, adaptation=LINEAR, measure="accuracy") and row["domain"] in DOMAINS
    ]
    known = [row for row in rows if math.isfinite(value_of(row["p_corrected"]))]
    if not known:
        return Verdict(claim, NOT_TESTABLE, NO_SEEDS)
    falls = [row for row in known if is_sure(row, -1, "slope")]
    rises = [row for row in known if is_sure(row, 1, "slope")]
    told = f"accuracy falls with the level beyond doubt in {len(falls)} of {len(known)} pairs of damage and domain"
    if rises:
        return Verdict(claim, NOT_SUPPORTED, f"{told}, and rises in {len(rises)}")
    return Verdict(claim, SUPPORTED if falls else TOO_SMALL, told)


def generalises_worse(found: Found) -> Verdict:
    """Judge the difference of both domains: not supported where one damage costs more in-domain."""
    claim = "It costs more on another kind of images than on the same kind"
    rows = [row for damage in FOUR if (row := _after(found, damage, BETWEEN, "accuracy")) is not None]
    known = [row for row in rows if math.isfinite(value_of(row["p_corrected"]))]
    if not known:
        return Verdict(claim, NOT_TESTABLE, NO_SEEDS)
    more, less = ([row for row in known if is_sure(row, sign)] for sign in (-1, 1))
    told = f"after transfer, at the worst level: {_listed(known, _accuracy)} (out-of-domain less in-domain)"
    if less:
        return Verdict(claim, NOT_SUPPORTED, told)
    return Verdict(claim, SUPPORTED if more else TOO_SMALL, told)


def slight_noise_helps(found: Found) -> Verdict:
    """Judge the least noise: the authors' earlier work (arXiv:2309.17002) finds a gain in-domain, a loss outside."""
    claim = "A little label noise helps in-domain and hurts out-of-domain (arXiv 2309.17002)"
    inside, outside = (
        min(
            (row for row in found[EFFECTS] if _is(row, **_linear(LABEL_NOISE, domain, "accuracy"))),
            key=lambda row: value_of(row["level"]),
            default=None,
        )
        for domain in (IN_DOMAIN, OUT_OF_DOMAIN)
    )
    if inside is None or outside is None or not math.isfinite(value_of(inside["p_corrected"])):
        return Verdict(claim, NOT_TESTABLE, NO_SEEDS)
    told = f"at {level_of(inside)}: in-domain {sized(inside)}, out-of-domain {sized(outside)} points"
    if is_sure(inside, 1) and is_sure(outside, -1):
        return Verdict(claim, SUPPORTED, told)
    if is_sure(inside, -1) or is_sure(outside, 1):
        return Verdict(claim, NOT_SUPPORTED, told)
    return Verdict(claim, TOO_SMALL, told)


def reaches_the_rare(found: Found) -> Verdict:
    """Judge what a long tail costs its rare digits after a balanced adaptation."""
    claim = "A long tail passes on as a bias against what was rare"
    rows = [row for domain in DOMAINS if (row := _after(found, LONG_TAIL, domain, "rare_digits")) is not None]
    return _judged(claim, rows, -1, MARGIN, lambda row: f"{_short(row)} {sized(row)} points of the rare digits")


def survives(found: Found) -> Verdict:
    """Judge how much more often the mark calls its digit than without a plant."""
    claim = "A planted trigger survives transfer (security)"
    rows = [row for domain in DOMAINS if (row := _after(found, TRIGGER, domain, "trigger_success")) is not None]
    return _judged(claim, rows, 1, MARGIN, lambda row: f"{_short(row)} {sized(row)} points of success")


def is_visible(found: Found) -> Verdict:
    """Judge whether the effective rank of clean in-domain images differs, damage by damage."""
    claim = "It can be seen inside, in the singular values of the features"
    rows = [row for damage in FOUR if (row := _after(found, damage, IN_DOMAIN, "effective_rank")) is not None]
    known = [row for row in rows if math.isfinite(value_of(row["p_corrected"]))]
    if not known:
        return Verdict(claim, NOT_TESTABLE, NO_SEEDS)
    told = f"effective rank at the worst level: {_listed(known, lambda row: sized(row))}"
    sure = [row for row in known if is_sure(row, 1) or is_sure(row, -1)]
    return Verdict(claim, SUPPORTED if sure else TOO_SMALL, told)


def reweighting_mends(found: Found) -> Verdict:
    """Judge re-weighting by the rare digits after transfer, in both domains."""
    claim = "Re-weighting in pre-training mends a long tail"
    rows = [
        row
        for domain in DOMAINS
        if (row := _mended(found, LONG_TAIL, REWEIGHTED, LINEAR, domain, "rare_digits")) is not None
    ]
    return _judged(claim, rows, 1, MARGIN, lambda row: f"{_short(row)} {sized(row)} points of the rare digits")


def tuning_mends(found: Found) -> Verdict:
    """Judge the regulariser where it beats the linear probe and the same network without it."""
    claim = "Tuning that shapes the spectrum mends it without pre-training anew"
    pairs = [
        (against_probe, against_network)
        for damage in FOUR
        for domain in DOMAINS
        if (against_probe := _mended(found, damage, SPECTRUM, LINEAR, domain, "accuracy")) is not None
        and (against_network := _mended(found, damage, SPECTRUM, NETWORK, domain, "accuracy")) is not None
        and math.isfinite(value_of(against_network["p_corrected"]))
    ]
    if not pairs:
        return Verdict(claim, NOT_TESTABLE, NO_SEEDS)
    both = [pair for pair in pairs if all(is_sure(row, 1) for row in pair)]
    worse = [pair for pair in pairs if is_sure(pair[0], -1)]
    told = (
        f"more accurate than the linear probe and than the network without the regulariser, beyond doubt, in "
        f"{len(both)} of {len(pairs)} pairs of damage and domain; less than the probe in {len(worse)}"
    )
    if both:
        return Verdict(claim, SUPPORTED, told)
    return Verdict(claim, NOT_SUPPORTED if worse else TOO_SMALL, told)


def _judged(claim: str, rows: Sequence[Row], sign: int, margin: float, told: Callable[[Row], str]) -> Verdict:
    """Judge: supported where a row has the sign beyond doubt, not where all exclude as much as the margin."""
    known = [row for row in rows if math.isfinite(value_of(row["p_corrected"]))]
    if not known:
        return Verdict(claim, NOT_TESTABLE, NO_SEEDS)
    because = f"at {level_of(known[0])}: {'; '.join(told(row) for row in known)}"
    if any(is_sure(row, sign) for row in known):
        return Verdict(claim, SUPPORTED, because)
    far = "high" if sign > 0 else "low"
    if all(sign * value_of(row[far]) < margin for row in known):
        return Verdict(claim, NOT_SUPPORTED, f"{because}; none can be {number(margin)} points")
    return Verdict(claim, TOO_SMALL, because)


def _after(found: Found, damage: str, domain: str, measure: str) -> Row | None:
    """Return the effect at the worst level, after transfer."""
    return at_worst(found[EFFECTS], **_linear(damage, domain, measure))


def _mended(found: Found, damage: str, method: str, against: str, domain: str, measure: str) -> Row | None:
    return at_worst(found[MENDED], damage, method=method, against=against, domain=domain, measure=measure)


def _linear(damage: str, domain: str, measure: str) -> dict[str, str]:
    return {"damage": damage, "adaptation": LINEAR, "domain": domain, "measure": measure}


def _is(row: Row, **where: str) -> bool:
    return all(row[name] == value for name, value in where.items())


def _listed(rows: Sequence[Row], told: Callable[[Row], str]) -> str:
    return "; ".join(f"{WORDS[str(row['damage'])]} {told(row)}" for row in rows)


def _short(row: Row) -> str:
    return str(row["domain"]).replace("_", "-")


def _accuracy(row: Row) -> str:
    return f"{_short(row)} {sized(row)} points" if row["domain"] != BETWEEN else sized(row)
