"""Tables of damaged pre-training, in the three parts of the paper: understand, interpret, mitigate."""

from __future__ import annotations

from collections.abc import Sequence

from edgebias.report.numbers import number, p_number
from edgebias.report.sections.damage.claims import claims_table
from edgebias.report.sections.damage.rows import (
    DOSES,
    EFFECTS,
    FOUR,
    MENDED,
    METHODS,
    PLACES,
    WORDS,
    Found,
    Row,
    at_worst,
    level_of,
    sized,
)
from edgebias.report.table import Table, value_of
from edgebias.train.damage.effects import BETWEEN
from edgebias.train.damage.images import DOMAINS
from edgebias.train.damage.run_table import CLEAN, DAMAGES, LINEAR, OWN, TRIGGER, UNTRAINED


def understand(found: Found) -> tuple[Table, ...]:
    """Return the claims, each damage at its worst, its slope over levels, and the trigger."""
    return claims_table(found), _worst(found[EFFECTS]), _slopes(found[DOSES]), _trigger(found[EFFECTS])


def interpret(found: Found) -> tuple[Table, ...]:
    """Return what the singular values of the frozen features tell, level by level."""
    rows = [row for row in _ordered(found[EFFECTS]) if row["measure"] == "effective_rank" and row["domain"] in DOMAINS]
    return (
        Table(
            "How many directions the features of clean images fill (effective rank), against undamaged pre-training",
            ("Damage", "Level", "Images", "Undamaged", "Damaged", "Change [low, high]", "Corrected p"),
            tuple(
                (
                    WORDS[str(row["damage"])],
                    level_of(row),
                    PLACES[str(row["domain"])],
                    *(number(value_of(row[name])) for name in ("clean", "damaged")),
                    sized(row),
                    p_number(value_of(row["p_corrected"])),
                )
                for row in rows
            ),
            frozenset({1, 3, 4, 6}),
            unbroken=frozenset({5}),
        ),
    )


def mitigate(found: Found) -> tuple[Table, ...]:
    """Return what each method does at the worst level and on undamaged data."""
    rows = found[MENDED]
    listed = [
        (damage, method, against, domain)
        for damage in (*DAMAGES, CLEAN)
        for method, against in dict.fromkeys((str(row["method"]), str(row["against"])) for row in rows)
        for domain in DOMAINS
        if at_worst(rows, damage, method=method, against=against, domain=domain, measure="accuracy") is not None
    ]
    heads = ("accuracy: change [low, high]", "corrected p", "rare digits: change [low, high]", "corrected p")
    return (
        Table(
            "Mitigations at the worst level, each against doing nothing or against its control, in points",
            ("Damage", "Level", "Method", "Against", "Images", "Accuracy without", "with", "undamaged", *heads),
            tuple(_mended(rows, *one) for one in listed),
            frozenset({1, 5, 6, 7, 9, 11}),
            unbroken=frozenset({8, 10}),
        ),
    )


def _worst(rows: Sequence[Row]) -> Table:
    heads = ("Accuracy undamaged", "before transfer: change [low, high]", "after it: change [low, high]", "corrected p")
    return Table(
        "Each damage at its worst level: accuracy of the damaged network itself, and after its frozen representation "
        "is fitted to clean images, in points",
        ("Damage", "Level", "Images", *heads, "rare digits after it: change [low, high]", "corrected p"),
        tuple(
            (
                WORDS[damage],
                level_of(after),
                PLACES[domain],
                number(value_of(after["clean"])),
                sized(at_worst(rows, damage, adaptation=OWN, domain=domain, measure="accuracy")),
                sized(after),
                p_number(value_of(after["p_corrected"])),
                sized(rare),
                p_number(value_of(rare["p_corrected"])) if rare is not None else "",
            )
            for damage in (*DAMAGES, UNTRAINED)
            for domain in (*DOMAINS, BETWEEN)
            if (after := at_worst(rows, damage, adaptation=LINEAR, domain=domain, measure="accuracy")) is not None
            for rare in (at_worst(rows, damage, adaptation=LINEAR, domain=domain, measure="rare_digits"),)
        ),
        frozenset({1, 3, 6, 8}),
        unbroken=frozenset({4, 5, 7}),
    )


def _slopes(rows: Sequence[Row]) -> Table:
    units = {"tenth": "for each 10 % that are damaged", "tenfold": "for each tenfold imbalance"}
    return Table(
        "How accuracy moves with the level, in points: a straight line through undamaged data and all levels",
        ("Damage", "Images", "Slope", "before transfer [low, high]", "after it [low, high]", "corrected p"),
        tuple(
            (
                WORDS[damage],
                PLACES[domain],
                units[str(after["unit"])],
                sized(_slope(rows, damage, OWN, domain), "slope"),
                sized(after, "slope"),
                p_number(value_of(after["p_corrected"])),
            )
            for damage in FOUR
            for domain in DOMAINS
            if (after := _slope(rows, damage, LINEAR, domain)) is not None
        ),
        frozenset({5}),
        unbroken=frozenset({3, 4}),
    )


def _slope(rows: Sequence[Row], damage: str, adaptation: str, domain: str) -> Row | None:
    wanted = (damage, adaptation, domain, "accuracy")
    names = ("damage", "adaptation", "domain", "measure")
    return next((row for row in rows if tuple(row[name] for name in names) == wanted), None)


def _trigger(rows: Sequence[Row]) -> Table:
    mine = [
        row
        for row in _ordered(rows)
        if row["damage"] == TRIGGER and row["measure"] == "trigger_success" and row["domain"] in DOMAINS
    ]
    return Table(
        "A planted trigger: per cent of marked images of other digits that are read as the trigger's digit",
        (
            "Images with the plant",
            "Read by",
            "Images",
            "Without a plant",
            "With it",
            "Change [low, high]",
            "Corrected p",
        ),
        tuple(
            (
                level_of(row),
                "the network itself" if row["adaptation"] == OWN else "a probe fitted to clean images",
                PLACES[str(row["domain"])],
                *(number(value_of(row[name])) for name in ("clean", "damaged")),
                sized(row),
                p_number(value_of(row["p_corrected"])),
            )
            for row in mine
        ),
        frozenset({0, 3, 4, 6}),
        unbroken=frozenset({5}),
    )


def _ordered(rows: Sequence[Row]) -> list[Row]:
    """Return rows of one damage after the other, before transfer first, by level."""
    damages = (*DAMAGES, UNTRAINED)
    return sorted(
        rows,
        key=lambda row: (
            damages.index(str(row["damage"])),
            (OWN, LINEAR).index(str(row["adaptation"])),
            (*DOMAINS, BETWEEN).index(str(row["domain"])),
            value_of(row["level"]),
        ),
    )


def _mended(rows: Sequence[Row], damage: str, method: str, against: str, domain: str) -> tuple[str, ...]:
    accuracy, rare = (
        at_worst(rows, damage, method=method, against=against, domain=domain, measure=measure)
        for measure in ("accuracy", "rare_digits")
    )
    assert accuracy is not None  # the stage writes all measures of a comparison
    assert rare is not None
    return (
        WORDS[damage],
        level_of(accuracy),
        METHODS[method],
        METHODS[against],
        PLACES[domain],
        *(number(value_of(accuracy[name])) for name in ("without", "mended", "undamaged")),
        sized(accuracy),
        p_number(value_of(accuracy["p_corrected"])),
        sized(rare),
        p_number(value_of(rare["p_corrected"])),
    )
