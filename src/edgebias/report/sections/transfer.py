"""Transfer: what steering does to benchmarks that nothing of it was fitted to."""

from __future__ import annotations

from edgebias.mitigate.overall import overall_reductions, overall_scores
from edgebias.mitigate.registry import NONE
from edgebias.report.data import StudyData
from edgebias.report.numbers import p_number, signed_estimate
from edgebias.report.table import Table, score_text, title_of
from edgebias.suites.formats import LIKELIHOOD
from edgebias.suites.registry import SUITES


def transfer_table(study: StudyData) -> Table | None:
    """Return a row for each method that steers and suite that it was not fitted to; None where there is no such pair.

    Vectors, gates and loops are fitted to calibration items of ``study.fitted_to`` alone, so every other suite is a
    benchmark that they have never seen.
    """
    scored = dict(list(study.mitigation.groupby("method", sort=False)))
    if NONE not in scored:
        return None
    before = overall_scores(scored[NONE])
    rows = []
    for method, chosen in study.chosen_methods.items():
        if method not in scored or chosen.steering is None:
            continue
        after = overall_scores(scored[method])
        for found in overall_reductions(scored[method]):
            if found.suite in study.fitted_to or found.format != LIKELIHOOD:
                continue
            key = (found.suite, found.format, SUITES.get(found.suite).bias)
            rows.append(
                (
                    title_of(method),
                    f"{title_of(found.suite)} {key[2].replace('_', ' ')}",
                    score_text(before[key]),
                    score_text(after[key]),
                    signed_estimate(found.points.estimate, found.points.low, found.points.high),
                    p_number(found.p_corrected),
                    found.headroom,
                )
            )
    if not rows:
        return None
    fitted = " and ".join(title_of(suite) for suite in sorted(study.fitted_to))
    heads = (
        *("Method", "Suite and metric", "Without [low, high]", "With [low, high]"),
        *("Distance from the ideal removed (points) [low, high]", "Corrected p", "Was there bias to remove?"),
    )
    caption = (
        f"Transfer: held-out items of suites that no vector, gate or loop has seen (fitted to: {fitted}), likelihood "
        "format. A row "
        "without bias to remove is no evidence of mitigation, nor of its absence"
    )
    return Table(caption, heads, tuple(sorted(rows, key=lambda row: row[1])), frozenset({5}), frozenset({2, 3, 4}))
