"""The claims of arXiv 2502.04419, each with a verdict computed from the tables of bias inheritance.

A trend counts where it stands out of the noise of answers and of that of training runs. A change of one build counts
where it stands out of the noise of answers and is larger than what two builds of ratio 0 differ by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from edgebias.report.findings import ALPHA
from edgebias.report.numbers import number, p_value, percent
from edgebias.report.sections.inheritance.rows import (
    FALLS,
    GROUPS,
    MITIGATED,
    RISES,
    SCORES,
    SHIFT,
    TRENDS,
    Found,
    Row,
    chance,
    of_bias,
    place_of,
    score_name,
    share,
    sized,
    unit,
    verdict,
)
from edgebias.report.table import Table, title_of, value_of
from edgebias.report.trust_claims import NOT_SUPPORTED, NOT_TESTABLE, SUPPORTED, Verdict
from edgebias.score.inheritance.builds import LOSS, MASK, MITIGATIONS, TOKEN, UNMITIGATED
from edgebias.score.inheritance.measures import BOTH, DOLLARS, LOG_ODDS, POINTS
from edgebias.score.inheritance.trend import STEP
from edgebias.stats.contrasts import corrected

MARGINS = {POINTS: 5.0, DOLLARS: 1.0, LOG_ODDS: 0.2}
"""Changes from 0 to 50 per cent of self-written examples that are worth finding, by unit."""

HALF = 0.5
"""The ratio that margins are for: the largest of the paper."""

LOW_SHARES, SOME_SHARES = (0.05, 0.1), (0.1, 0.2)
"""Ratios at which the paper's direct tasks lose already, and at which its indirect tasks gain."""

TRAINED = "occupation"
"""The task that builds are trained for."""

WORST = {"contrastive_explicit", "contextual_implicit"}
"""The types of bias that are inherited most, says the paper."""

TYPES = 6
"""Types of bias of the paper."""

NEUTRAL = "neutral"
"""The kind of prompts that name nobody."""

EXCEPTION = "architect"
"""The job of which such texts are not about more women, says the paper."""

NAMES = {TOKEN: "A warning before self-written texts", MASK: "Masking gendered words", LOSS: "The loss-based term"}


def claims_table(found: Found) -> Table:
    """Return the claims with their verdicts."""
    trends, rows, mitigated = (found.get(name, ()) for name in (TRENDS, SCORES, MITIGATED))
    verdicts = [
        moved("Jobs of men are recognised better", trends, "accuracy_male", RISES),
        moved("Jobs of women are recognised worse", trends, "accuracy_female", FALLS),
        moved("The salary gap widens", trends, "expected_salary_gap", RISES),
        direct_loses(rows),
        indirect_gains(rows),
        worst_types(trends),
        more_women(found.get(GROUPS, ())),
        shifted(found.get(SHIFT, ())),
        Verdict("Bias accumulates over rounds of training", NOT_TESTABLE, "builds here are trained once"),
        *(takes_away(name, mitigated, rows) for name in MITIGATIONS[1:]),
        most_robust(mitigated, rows),
    ]
    return Table(
        "The claims of arXiv 2502.04419, and what they come to here",
        ("Claim", "Verdict", "Because"),
        tuple((one.claim, one.verdict, one.because) for one in verdicts),
    )


def moved(claim: str, trends: Sequence[Row], measure: str, direction: str) -> Verdict:
    """Judge a trend: supported where it is found, not where the interval excludes what is worth finding."""
    mine = [row for row in trends if row["measure"] == measure and row["mitigation"] == UNMITIGATED]
    known = [row for row in mine if math.isfinite(value_of(row["low"]))]
    if not known:
        return Verdict(claim, NOT_TESTABLE, "no trend over three shares of self-written texts was measured")
    told = "; ".join(f"{_slope(row)} ({row['model']}, {row['bias']})" for row in known)
    if any(verdict(row) == direction for row in known):
        return Verdict(claim, SUPPORTED, told)
    sign = 1.0 if direction == RISES else -1.0
    ends = [max(sign * value_of(row[name]) for name in ("low", "high")) * HALF / STEP for row in known]
    margin = MARGINS[str(known[0]["unit"])]
    if all(end < margin for end in ends):
        return Verdict(claim, NOT_SUPPORTED, f"{told}; {number(margin)} {unit(known[0])} over 50 % are excluded")
    return Verdict(claim, NOT_TESTABLE, f"{told}; no trend is beyond doubt, and none is excluded")


def direct_loses(rows: Sequence[Row]) -> Verdict:
    """Judge the ability that builds are trained for, at the smallest shares."""
    claim = "The task that is trained for loses at low shares already"
    mine = [row for row in rows if row["suite"] == TRAINED and _is_ability(row, LOW_SHARES)]
    return _judged(claim, mine, rows, -1.0, "a loss")


def indirect_gains(rows: Sequence[Row]) -> Verdict:
    """Judge abilities that builds are not trained for, at shares of 10 and 20 per cent."""
    claim = "Indirectly related tasks gain at 10 to 20 %"
    mine = [row for row in rows if row["suite"] != TRAINED and _is_ability(row, SOME_SHARES)]
    return _judged(claim, mine, rows, 1.0, "a gain")


def worst_types(trends: Sequence[Row]) -> Verdict:
    """Judge which types of bias are inherited most, where all of them were trained on."""
    claim = "Contrastive explicit and contextual implicit bias are inherited most"
    mine = [row for row in of_bias(trends) if row["suite"] == TRAINED and row["mitigation"] == UNMITIGATED]
    known = {str(row["bias"]): abs(value_of(row["slope"])) for row in mine if math.isfinite(value_of(row["slope"]))}
    if len(known) < TYPES:
        return Verdict(claim, NOT_TESTABLE, f"{len(known)} of {TYPES} types of bias were trained on")
    first = sorted(known, key=lambda name: -known[name])[: len(WORST)]
    told = f"largest slopes: {', '.join(f'{name} ({number(known[name])})' for name in first)}"
    return Verdict(claim, SUPPORTED if set(first) == WORST else NOT_SUPPORTED, told)


def more_women(groups: Sequence[Row]) -> Verdict:
    """Judge whom texts of neutral prompts are about, in all jobs but the paper's exception."""
    claim = "Asked about nobody in particular, the model writes of more women, architects aside"
    mine = [row for row in groups if row["kind"] == NEUTRAL and math.isfinite(value_of(row["difference"]))]
    if not mine:
        return Verdict(claim, NOT_TESTABLE, "no texts about nobody in particular tell a gender")
    told = "share of women in its texts and in real ones: "
    told += "; ".join(f"{row['job']} {_women(row)}" for row in mine)
    p_values = corrected([value_of(row["p_value"]) for row in mine], "holm")
    others = [
        (value_of(row["difference"]), p) for row, p in zip(mine, p_values, strict=True) if row["job"] != EXCEPTION
    ]
    sure = [difference for difference, p in others if p < ALPHA]
    if any(difference < 0 for difference in sure):
        return Verdict(claim, NOT_SUPPORTED, told)
    if 2 * len(sure) > len(others):
        return Verdict(claim, SUPPORTED, told)
    return Verdict(claim, NOT_TESTABLE, f"{told}; most differences are not beyond chance")


def shifted(shifts: Sequence[Row]) -> Verdict:
    """Judge whether self-written texts lie apart from real sentences in the last hidden states."""
    claim = "Self-written texts are distributed otherwise than real ones"
    known = [row for row in shifts if math.isfinite(value_of(row["p_value"]))]
    if not known:
        return Verdict(claim, NOT_TESTABLE, "hidden states of no texts were compared")
    p_values = corrected([value_of(row["p_value"]) for row in known], "holm")
    told = "; ".join(
        f"{str(row['kind']).replace('_', ' ')}: {number(value_of(row['shift']) / value_of(row['by_chance']))} times "
        f"what chance gives, {p_value(p)}"
        for row, p in zip(known, p_values, strict=True)
    )
    return Verdict(claim, SUPPORTED if min(p_values) < ALPHA else NOT_TESTABLE, told)


def takes_away(mitigation: str, mitigated: Sequence[Row], rows: Sequence[Row]) -> Verdict:
    """Judge a mitigation where bias was inherited beyond doubt."""
    claim = f"{NAMES[mitigation]} takes away what is inherited"
    asked = [row for row in of_bias(mitigated) if row["mitigation"] == mitigation]
    if not asked:
        return Verdict(claim, NOT_TESTABLE, "no build was trained with it")
    mine = [row for row in asked if is_inherited(row, rows)]
    if not mine:
        return Verdict(claim, NOT_TESTABLE, f"in none of {len(asked)} tasks is a change inherited beyond chance")
    told = "; ".join(f"{title_of(str(row['suite']))}, {share(row)}: {_removed(row)}" for row in mine)
    if any(helps(row, rows) for row in mine):
        return Verdict(claim, SUPPORTED, f"share taken away: {told}")
    if all(value_of(row["removed_high"]) <= 0 for row in mine):
        return Verdict(claim, NOT_SUPPORTED, f"share taken away: {told}")
    return Verdict(claim, NOT_TESTABLE, f"share taken away: {told}; nothing is beyond chance, and not all is excluded")


def most_robust(mitigated: Sequence[Row], rows: Sequence[Row]) -> Verdict:
    """Judge in how many tasks each mitigation helps."""
    claim = "The loss-based term is the most robust mitigation"
    found = [row for row in of_bias(mitigated) if is_inherited(row, rows)]
    counts = {
        name: sum(helps(row, rows) for row in found if row["mitigation"] == name)
        for name in MITIGATIONS[1:]
        if any(row["mitigation"] == name for row in found)
    }
    if LOSS not in counts or len(counts) < 2:
        return Verdict(claim, NOT_TESTABLE, "no two mitigations were tried where a change is inherited beyond chance")
    told = f"tasks helped beyond chance: {', '.join(f'{name} {count}' for name, count in counts.items())}"
    if not any(counts.values()):
        return Verdict(claim, NOT_TESTABLE, told)
    others = max(count for name, count in counts.items() if name != LOSS)
    return Verdict(claim, SUPPORTED if counts[LOSS] > others else NOT_SUPPORTED, told)


def is_inherited(row: Row, rows: Sequence[Row]) -> bool:
    """Return whether a change from ratio 0 without a mitigation stands out of noise and of training runs."""
    return math.isfinite(value_of(row["removed"])) and not abs(value_of(row["inherited"])) <= _chance(row, rows)


def helps(row: Row, rows: Sequence[Row]) -> bool:
    """Return whether a mitigation takes a share away beyond the noise of answers and of training runs."""
    sure = value_of(row["p_corrected"]) < ALPHA and value_of(row["removed_low"]) > 0
    return sure and not abs(value_of(row["difference"])) <= _chance(row, rows)


def _chance(row: Row, rows: Sequence[Row]) -> float:
    return chance([one for one in rows if place_of(one) == place_of(row)], row)


def _is_ability(row: Row, shares: Sequence[float]) -> bool:
    plain = row["aspect"] == BOTH and row["mitigation"] == UNMITIGATED
    return plain and any(math.isclose(value_of(row["ratio"]), one) for one in shares)


def _judged(claim: str, mine: Sequence[Row], rows: Sequence[Row], sign: float, what: str) -> Verdict:
    known = [row for row in mine if math.isfinite(value_of(row["change_low"]))]
    if not known:
        return Verdict(claim, NOT_TESTABLE, "no such task was asked of builds with these shares")
    told = "; ".join(f"{score_name(row)}, {share(row)}: {_changed(row)}" for row in known)
    sure = [
        row
        for row in known
        if value_of(row["p_corrected"]) < ALPHA
        and sign * value_of(row["change"]) > 0
        and not abs(value_of(row["change"])) <= _chance(row, rows)
    ]
    if sure:
        return Verdict(claim, SUPPORTED, told)
    margin = MARGINS[POINTS]
    if all(max(sign * value_of(row[name]) for name in ("change_low", "change_high")) < margin for row in known):
        return Verdict(claim, NOT_SUPPORTED, f"{told}; {what} of {number(margin)} points is excluded")
    return Verdict(claim, NOT_TESTABLE, f"{told}; {what} is not beyond chance, and not excluded")


def _women(row: Row) -> str:
    return f"{percent(value_of(row['augmented']), 0)} and {percent(value_of(row['original']), 0)}"


def _changed(row: Row) -> str:
    return sized(row, "change", "change_low", "change_high")


def _slope(row: Row) -> str:
    return f"{sized(row, 'slope')} {unit(row)} for ten points more, {verdict(row)}"


def _removed(row: Row) -> str:
    low, high = (number(value_of(row[name])) for name in ("removed_low", "removed_high"))
    return f"{number(value_of(row['removed']))} % [{low}, {high}]"
