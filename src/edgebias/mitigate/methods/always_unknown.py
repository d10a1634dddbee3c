"""A control: says that it cannot know wherever there is such an option, and refuses elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgebias.mitigate.base import Method, NoSettings

if TYPE_CHECKING:
    import pandas as pd

    from edgebias.suites.item import Item


class AlwaysUnknown(Method[NoSettings]):
    """Nothing but "unknown", without a model."""

    name = "always_unknown"
    asks_model = False

    def answers(self, items: Sequence[Item], formats: Sequence[str], seed: int) -> pd.DataFrame:
        """Choose the option of role ``unknown``, or refuse where there is none."""
        from edgebias.mitigate.controls import control_answers

        return control_answers(self.name, items, formats, seed, abstains=True)


METHOD = AlwaysUnknown()
