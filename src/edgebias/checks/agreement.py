"""How well replies are read: `read_text` against labels made by reading (docs/reference/answers.md).

The file of labels holds replies and ids of items; the options are looked up in the item tables built from the
benchmark files, so that the labelled set carries no text of a benchmark but what a model repeated of it.
"""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgebias.core.errors import InputError
from edgebias.infer.outcome import ANSWER_OUTCOMES, BLANK, REFUSAL, UNKNOWN, UNPARSED, Reading, read_text
from edgebias.infer.outcome.reading import chosen
from edgebias.stats.wilson import wilson_limits
from edgebias.suites.formats import FORMATS
from edgebias.suites.item import Item

HALVES = ("development", "test")
NO_OPTION = (REFUSAL, UNPARSED, BLANK)
ALL = "all"
CONFIDENCE = 0.95


@dataclass(frozen=True)
class LabelledReply:
    """A reply of a model and what its readers made of it.

    A label is the index of the chosen option in item order, as text, or ``refusal``, ``unparsed`` or ``blank``;
    ``label`` is the one that holds after disagreements of the passes were resolved. ``label_independent`` is that of a
    reader who saw neither these labels nor the parser; nothing was resolved against it. A pass that was not made is
    None.
    """

    item_id: str
    suite: str
    format: str
    permutation: tuple[int, ...]
    text: str
    model: str
    build: str
    style: str
    temperature: float
    half: str
    label_1: str
    label_2: str | None
    label: str
    label_independent: str | None
    corrected: str | None = None
    """What ``label`` was before it was found wrong by the guideline, and why; None where it was not."""


@dataclass(frozen=True)
class Agreement:
    """Agreement of the parser with the resolved labels on some replies; shares are in 0 to 1, NaN where undefined."""

    half: str
    group: str
    """A format, a model, a kind of reply, or all."""
    n: int
    n_agreed: int
    low: float
    """Lower Wilson limit of the share of agreement, 95 %."""
    high: float
    kappa: float
    """Cohen's kappa of the outcomes."""

    @property
    def share(self) -> float:
        """Agreed replies / replies."""
        return self.n_agreed / self.n if self.n else math.nan

    def line(self) -> str:
        """Return a row of a table in Markdown."""
        share = f"{self.share:.3f} [{self.low:.3f}, {self.high:.3f}]"
        return f"| {self.half} | {self.group} | {self.n} | {self.n_agreed} | {share} | {self.kappa:.3f} |"


def read_labels(path: Path) -> list[LabelledReply]:
    """Read the labelled set: one JSON object a line, the first of which says how the set was made.

    Raises:
        InputError: the file is absent, a line is no such object, or a label or format does not exist.
    """
    replies: list[LabelledReply] = []
    for number, line in labelled_lines(path):
        try:
            values = json.loads(line)
            reply = LabelledReply(**values | {"permutation": tuple(values["permutation"])})
        except (ValueError, TypeError, KeyError) as error:
            raise InputError(
                f"{path}: line {number} is no labelled reply ({error}); see docs/reference/answers.md"
            ) from error
        allowed = {*map(str, reply.permutation), *NO_OPTION}
        made = (reply.label_1, reply.label_2, reply.label, reply.label_independent)
        strange = [label for label in made if label is not None and label not in allowed]
        if strange or reply.format not in FORMATS or reply.half not in HALVES:
            fault = f"label {strange[0]!r}" if strange else f"format {reply.format!r} or half {reply.half!r}"
            raise InputError(f"{path}: line {number}: {fault} does not exist; see docs/reference/answers.md")
        replies.append(reply)
    return replies


def labelled_lines(path: Path) -> list[tuple[int, str]]:
    """Return the lines of a labelled set with their numbers, but for the first, which says how the set was made.

    Raises:
        InputError: the file is absent.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; the labelled set is part of a checkout (tests/unit/checks)")
    lines = enumerate(path.read_text(encoding="utf-8").split("\n"), start=1)
    return [(number, line) for number, line in lines if number > 1 and line]


def read_reply(reply: LabelledReply, item: Item) -> Reading:
    """Return what the parser makes of a reply to ``item``."""
    lettered = reply.format == "letter"
    return read_text(reply.text, item.options, item.roles, reply.permutation, lettered=lettered, question=item.question)


def outcome_of(label: str, item: Item) -> str:
    """Return the outcome that a label stands for; a role but ``option`` occurs once in an item, so it says
    which option, too; opinions on statements, where it may not, are read by `edgebias.checks.opinions`.
    """
    return label if label in NO_OPTION else chosen(int(label), item.roles).outcome


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Compute Cohen's kappa of two labellings of the same things (Cohen 1960, Educ. Psychol. Meas. 20, p. 40).

    NaN where there is nothing, or where both use one and the same label throughout (agreement by chance is 1).
    """
    n = len(first)
    if n == 0:
        return math.nan
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    counts_a, counts_b = Counter(first), Counter(second)
    by_chance = sum(counts_a[label] * counts_b[label] for label in counts_a) / n**2
    return math.nan if by_chance == 1.0 else (observed - by_chance) / (1.0 - by_chance)


def agreements(replies: Sequence[LabelledReply], items: Mapping[str, Item]) -> list[Agreement]:
    """Return the agreement in each half: of each format, of each model, and over all."""
    models = sorted({reply.model for reply in replies})
    result: list[Agreement] = []
    for half in HALVES:
        for name in (*FORMATS, *models, ALL):
            part = [reply for reply in replies if reply.half == half and name in (reply.format, reply.model, ALL)]
            if not part:
                continue
            wanted = [outcome_of(reply.label, items[reply.item_id]) for reply in part]
            read = [read_reply(reply, items[reply.item_id]).outcome for reply in part]
            result.append(agreement_of(half, name, wanted, read))
    return result


def agreement_of(half: str, group: str, wanted: Sequence[str], read: Sequence[str]) -> Agreement:
    """Return the agreement of what was labelled with what was read, of at least one reply."""
    agreed = sum(a == b for a, b in zip(wanted, read, strict=True))
    low, high = wilson_limits(agreed / len(wanted), len(wanted), CONFIDENCE)
    return Agreement(half, group, len(wanted), agreed, low, high, cohen_kappa(wanted, read))


def misread_abstentions(replies: Sequence[LabelledReply], items: Mapping[str, Item]) -> list[LabelledReply]:
    """Return the abstentions and refusals that are read as the choice of a group."""
    declined = (r for r in replies if outcome_of(r.label, items[r.item_id]) in (UNKNOWN, REFUSAL))
    return [r for r in declined if read_reply(r, items[r.item_id]).outcome in ("stereotype", "anti_stereotype")]


def confusion(replies: Sequence[LabelledReply], items: Mapping[str, Item]) -> Counter[tuple[str, str]]:
    """Return how often each pair of (labelled outcome, outcome that the parser read) occurs."""
    pairs = ((outcome_of(r.label, items[r.item_id]), read_reply(r, items[r.item_id]).outcome) for r in replies)
    return Counter(pairs)


def items_of(replies: Sequence[LabelledReply], raw_folder: Path, forced_choice_folder: Path) -> dict[str, Item]:
    """Return the items of the replies by id, from the benchmark files, in the order in which the replies' models saw
    them.

    Raises:
        InputError: a benchmark file is absent or unfit, or lacks an item of the labelled set.
    """
    from edgebias.suites.registry import SUITES

    orders = {reply.item_id: reply.permutation for reply in replies}
    found: dict[str, Item] = {}
    for suite in sorted({reply.suite for reply in replies}):
        entry = SUITES.get(suite)
        loaded = entry.load(forced_choice_folder if entry.own_files else raw_folder)
        for row in (row for row in loaded if row.item_id in orders):
            found[row.item_id] = replace(row, permutation=orders[row.item_id])
    missing = sorted(orders.keys() - found.keys())
    if missing:
        raise InputError(f"{raw_folder}: there is no item {missing[0]!r}; fetch the benchmarks that params.yaml names")
    return found


def agreement_table(rows: Sequence[Agreement]) -> list[str]:
    """Return the lines of a table of agreement, in Markdown."""
    head = ["| half | replies | n | agreed | share [95 % Wilson] | kappa |", "|---|---|---|---|---|---|"]
    return head + [row.line() for row in rows]


def confusion_table(of: str, counts: Mapping[tuple[str, str], int], labels: Sequence[str]) -> list[str]:
    """Return the lines of a table of pairs (label, what the parser read), in Markdown, with a heading before it."""
    head = ["", f"{of}: label (rows) against parser (columns)", ""]
    head += [f"| | {' | '.join(labels)} |", "|---|" + "---|" * len(labels)]
    return head + [
        f"| {label} | {' | '.join(str(counts.get((label, read), 0)) for read in labels)} |" for label in labels
    ]


def tables(replies: Sequence[LabelledReply], items: Mapping[str, Item]) -> str:
    """Return the agreement of parser and labels, of the readers, and the confusions of each half, as Markdown."""
    lines = agreement_table(agreements(replies, items))
    lines += ["", "| readers | half | replies | n | agreed | kappa |", "|---|---|---|---|---|---|"]
    outcomes = {
        reader: [label and outcome_of(label, items[reply.item_id]) for reply, label in made]
        for reader, made in (
            ("first pass", [(reply, reply.label_1) for reply in replies]),
            ("second pass", [(reply, reply.label_2) for reply in replies]),
            ("labels", [(reply, reply.label) for reply in replies]),
            ("independent reader", [(reply, reply.label_independent) for reply in replies]),
        )
    } | {"parser": [read_reply(reply, items[reply.item_id]).outcome for reply in replies]}
    for first, second in (
        ("first pass", "second pass"),
        ("labels", "independent reader"),
        ("parser", "independent reader"),
    ):
        for half, name in itertools.product(HALVES, (*FORMATS, ALL)):
            both = [
                (a, b)
                for reply, a, b in zip(replies, outcomes[first], outcomes[second], strict=True)
                if name in (reply.format, ALL) and reply.half == half and a is not None and b is not None
            ]
            if both:
                agreed, kappa = sum(a == b for a, b in both), cohen_kappa(*zip(*both, strict=True))
                lines.append(f"| {first}, {second} | {half} | {name} | {len(both)} | {agreed} | {kappa:.3f} |")
    for half in HALVES:
        for name in (*FORMATS, ALL):
            part = [reply for reply in replies if name in (reply.format, ALL) and reply.half == half]
            if part:
                lines += confusion_table(f"{name}, {half} half", confusion(part, items), ANSWER_OUTCOMES)
    return "\n".join(lines)
