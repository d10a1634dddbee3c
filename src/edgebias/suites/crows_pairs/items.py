"""CrowS-Pairs (Nangia et al., EMNLP 2020; nyu-mll/crows-pairs at 8aaac11c, CC BY-SA 4.0)."""

from __future__ import annotations

from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.suites.crows_pairs.suite import SUITE
from edgebias.suites.item import Design, Item
from edgebias.suites.raw_files import read_csv_rows, whole_of

CONDITIONS = SUITE.conditions


def load(raw_folder: Path) -> list[Item]:
    """Return all pairs: ``sent_more``, then ``sent_less``.

    ``sent_more`` has the role ``stereotype`` in antistereo pairs too, because the official metric counts how often
    ``sent_more`` is preferred in both kinds; the kind is the ``condition``. Every pair is a cluster.

    Raises:
        InputError: the file or a column is missing, or a pair is neither stereo nor antistereo.
    """
    path = raw_folder / "CrowS-Pairs" / "data" / "crows_pairs_anonymized.csv"
    items: dict[str, Item] = {}
    for number, row in read_csv_rows(path, ("", "sent_more", "sent_less", "stereo_antistereo", "bias_type")):
        place = f"{path}: row {number}"
        if row["stereo_antistereo"] not in CONDITIONS:
            raise InputError(f"{place}: stereo_antistereo is {row['stereo_antistereo']!r}; fetch it again")
        index = f"{whole_of(row, '', place):04d}"
        if index in items:
            raise InputError(f"{place}: the index {int(index)} was there before; fetch the file again")
        items[index] = Item(
            item_id=f"crows_pairs/{index}",
            suite="crows_pairs",
            category=row["bias_type"],
            cluster=f"{row['bias_type']}/{index}",
            condition=row["stereo_antistereo"],
            context="",
            question="",
            options=(row["sent_more"].strip(), row["sent_less"].strip()),
            roles=("stereotype", "anti_stereotype"),
            label=-1,
            source=f"CrowS-Pairs/data/crows_pairs_anonymized.csv:{number}",
            errata="",
            design=Design(block=index),
        )
    return list(items.values())
