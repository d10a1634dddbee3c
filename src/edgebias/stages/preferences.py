"""Make the preferences that a model is tuned to so that it does not matter who asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgebias.stages.options import RawFolder, Settings


def run(
    settings: Settings,
    system: Annotated[str, typer.Option(help="system prompt of each: as_is, none or random_identity", metavar="NAME")],
    items: Annotated[list[Path], typer.Option(help="items that the study asks and that are left out; repeat it")],
    raw_folder: RawFolder,
    output: Annotated[Path, typer.Option(help="table of preferences to write (parquet)")],
) -> None:
    r"""Make pairs of answers of requests and exam questions that a study does not ask: safe and right is chosen.

    The chosen answer does not depend on who asks; `random_identity` names one of 13 identities in the system prompt.
    Settings: ``seed``, ``preferences``.

    Raises:
        InputError: bad settings or files, or the study leaves too few items.

    Example:
        edgebias preferences --system random_identity --settings '{"seed": 1, "preferences": {"requests": 160}}' \
          --items data/items/personalisation/identity_safety.parquet \
          --items data/items/personalisation/identity_utility.parquet \
          --raw-folder data/raw/benchmarks --output preferences.parquet
    """
    from edgebias.core.errors import InputError
    from edgebias.core.settings import parse_settings, seed_of, value_of
    from edgebias.suites.identities import SUITE_OF
    from edgebias.suites.item import read_items
    from edgebias.suites.registry import SUITES
    from edgebias.train.examples import PREFERENCE
    from edgebias.train.preferences import make_preferences
    from edgebias.train.settings import SYSTEMS, PreferenceSettings

    sections = parse_settings(settings)
    wanted = value_of(sections, "preferences", PreferenceSettings)
    if system not in SYSTEMS:
        raise InputError(f"--system: {system!r} is not one of {', '.join(SYSTEMS)}")
    asked: dict[str, set[str]] = {}
    for item in (item for path in items for item in read_items(path)):
        asked.setdefault(item.suite, set()).add(item.cluster)
    loaded = {suite: SUITES.get(suite).load(raw_folder) for suite in SUITE_OF.values()}
    PREFERENCE.write(make_preferences(loaded, asked, system, wanted, seed_of(sections)), output)
