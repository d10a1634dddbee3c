"""How well the excess of PB over its floor is known, by simulation.

    python simulations/personalisation_coverage.py                  200 studies each, as the targets say
    python simulations/personalisation_coverage.py --studies 1000

Each question has a margin of its own, and each identity moves it at random. A responder is blind where no identity
moves it in one direction. A planted gap lowers the margins of one group of identities, so that its score falls by the
points named. Reported: how often the 95 % interval of the excess holds 0, or the true PB where a gap is planted; how
often the excess is found (p below 0.05), by PB alone and with the spread of the groups' means in the same test; how
often the right group differs from all others after correction, and how often a wrong one does.

A defence is two responders on the same questions, of which the second has no gap, or the same: how often the interval
of the change of the excess holds the true change, and how often a change is found.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy.special import ndtri
from tqdm import tqdm

from edgebias.core.arrays import FloatArray
from edgebias.score.personalisation.differences import GROUP, differences
from edgebias.score.personalisation.statistic import Bias, change_of_excess, personalisation_bias
from edgebias.stats.bootstrap import Resampling
from edgebias.suites.identities import GROUPS, IDENTITIES

RESAMPLES, SHUFFLES = 1000, 200
GAP_DEFENDED = 20.0
BETWEEN, OWN = 1.0, 0.5
"""Standard deviations of margins between questions, and of what an identity does to one question."""

MEMBERS = {group: [one.name for one in IDENTITIES if one.group == group] for group in GROUPS}
NAMES = [one.name for one in IDENTITIES]
PLACES = [[NAMES.index(name) for name in names] for names in MEMBERS.values()]


def answers(questions: int, lowered: dict[str, float], rng: np.random.Generator) -> FloatArray:
    """Give answers in points; each identity's score is 50 less what ``lowered`` says of it, on average."""
    spread = np.hypot(BETWEEN, OWN)
    shift = np.array([spread * ndtri(0.5 - lowered.get(name, 0.0) / 100.0) for name in NAMES])
    margins = BETWEEN * rng.normal(size=(questions, 1)) + OWN * rng.normal(size=(questions, len(NAMES))) + shift
    return 100.0 * (margins > 0)


def bias_of(axes: list[FloatArray], rng: np.random.Generator) -> Bias:
    """Return PB as the stage does, with fewer samples."""
    return personalisation_bias(axes, resamples=RESAMPLES, confidence=0.95, rng=rng, groups=PLACES, shuffles=SHUFFLES)


def blind(questions: int, studies: int, rng: np.random.Generator) -> str:
    """Return a line: coverage of 0 and false finds, of two axes and of their sum."""
    held, found, grouped, pb, floor = np.zeros(3), np.zeros(3), np.zeros(3), 0.0, 0.0
    for _ in tqdm(range(studies), f"blind, {questions} questions", mininterval=5, disable=None):
        axes = [answers(questions, {}, rng), answers(questions, {}, rng)]
        for place, part in enumerate((axes, axes[:1], axes[1:])):
            one = bias_of(part, rng)
            held[place] += one.low <= 0.0 <= one.high
            found[place] += one.p < 0.05
            grouped[place] += one.p_grouped < 0.05
            if len(part) == len(axes):
                pb, floor = pb + one.pb / studies, floor + one.floor / studies
    shares = 100.0 * np.stack([held, found, grouped]) / studies
    texts = "  ".join(f"{value:>6.1f} %" for row in shares for value in (row[0], row[1:].mean()))
    return f"{questions:>9}  {pb:>5.2f}  {floor:>5.2f}  {texts}"


def planted(group: str, gap: float, questions: int, studies: int, rng: np.random.Generator) -> str:
    """Return a line: coverage of the true PB and finds, where one group scores ``gap`` points less."""
    lowered = dict.fromkeys(MEMBERS[group], gap)
    share = len(lowered) / len(NAMES)
    truth = gap * np.sqrt(share * (1.0 - share))
    held = found = grouped = right = wrong = 0
    for study in tqdm(range(studies), f"{group}, {questions} questions", mininterval=5, disable=None):
        given = answers(questions, lowered, rng)
        one = bias_of([given], rng)
        held += one.low <= truth <= one.high
        found += one.p < 0.05
        grouped += one.p_grouped < 0.05
        compared = differences(
            dict(zip(NAMES, given.T, strict=True)),
            np.array([str(number) for number in range(questions)]),
            MEMBERS,
            [],
            Resampling(study, 200, 0.95),
            "holm",
        )
        differing = {row.name for row in compared if row.level == GROUP and row.p_corrected < 0.05}
        right += group in differing
        wrong += bool(differing - {group})
    shares = [100.0 * count / studies for count in (held, found, grouped, right, wrong)]
    texts = "  ".join(f"{value:>6.1f} %" for value in shares)
    return f"{group:>10}  {len(lowered):>10}  {gap:>6.1f}  {questions:>9}  {truth:>7.2f}  {texts}"


def defended(group: str, gaps: tuple[float, float], questions: int, studies: int, rng: np.random.Generator) -> str:
    """Return a line: coverage of the true change of the excess and finds, where one group's gap becomes another."""
    share = len(MEMBERS[group]) / len(NAMES)
    truth = (gaps[1] - gaps[0]) * np.sqrt(share * (1.0 - share))
    held = found = 0
    for _ in tqdm(range(studies), f"{group}, from {gaps[0]:g} to {gaps[1]:g}", mininterval=5, disable=None):
        sides = [[answers(questions, dict.fromkeys(MEMBERS[group], gap), rng)] for gap in gaps]
        one = change_of_excess(*sides, resamples=RESAMPLES, confidence=0.95, rng=rng, shuffles=SHUFFLES)
        held += one.low <= truth <= one.high
        found += one.p < 0.05
    shares = "  ".join(f"{100.0 * count / studies:>6.1f} %" for count in (held, found))
    return f"{group:>10}  {gaps[0]:>6.1f}  {gaps[1]:>6.1f}  {questions:>9}  {truth:>8.2f}  {shares}"


def main() -> None:
    """Print one table of blind responders, one of planted gaps and one of gaps that a defence takes away or leaves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--blind", type=int, nargs="*", default=[30, 200], help="numbers of questions")
    parser.add_argument("--planted", type=int, nargs="*", default=[30, 200], help="numbers of questions")
    parser.add_argument("--defended", type=int, nargs="*", default=[20], help="numbers of questions")
    parser.add_argument("--groups", nargs="*", default=["religion", "disability"], choices=GROUPS)
    parser.add_argument("--gap", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=20261201)
    options = parser.parse_args()
    if options.blind:
        print("Responders that are blind to the identity: PB and floor of both axes")
        print(f"{'':>23}{'0 held':>18}  {'found':>18}  {'found with groups':>18}")
        print(f"{'questions':>9}  {'PB':>5}  {'floor':>5}" + f"  {'joint':>8}  {'axis':>8}" * 3)
    for questions in options.blind:
        print(blind(questions, options.studies, np.random.default_rng(options.seed)), flush=True)
    if options.planted:
        print("\nOne group scores less: true PB held, PB found, found with groups, that group, another one")
        print(f"{'group':>10}  {'identities':>10}  {'points':>6}  {'questions':>9}  {'true PB':>7}  ", end="")
        print("  ".join(f"{head:>8}" for head in ("held", "found", "grouped", "group", "other")))
    for group in options.groups:
        for questions in options.planted:
            rng = np.random.default_rng(options.seed)
            print(planted(group, options.gap, questions, options.studies, rng), flush=True)
    if options.defended:
        print("\nA gap under a defence: the true change of the excess held by the interval, a change found")
        print(f"{'group':>10}  {'before':>6}  {'after':>6}  {'questions':>9}  {'change':>8}  {'held':>8}  {'found':>8}")
    for questions in options.defended:
        for gaps in ((0.0, 0.0), (GAP_DEFENDED, GAP_DEFENDED), (GAP_DEFENDED, 0.0)):
            rng = np.random.default_rng(options.seed)
            print(defended(options.groups[0], gaps, questions, options.studies, rng), flush=True)


if __name__ == "__main__":
    main()
