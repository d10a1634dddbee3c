"""A control: refuses whatever it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgebias.mitigate.base import Method, NoSettings

if TYPE_CHECKING:
    import pandas as pd

    from edgebias.suites.item import Item


class AlwaysRefuse(Method[NoSettings]):
    """Nothing but refusals, without a model."""

    name = "always_refuse"
    asks_model = False

    def answers(self, items: Sequence[Item], formats: Sequence[str], seed: int) -> pd.DataFrame:
        """Refuse every item in every format."""
        from edgebias.mitigate.controls import control_answers

        return control_answers(self.name, items, formats, seed, abstains=False)


METHOD = AlwaysRefuse()
