"""Controls: answers that no model is needed for, which a table of mitigations must show to be bad.

A score that counts stereotyped answers alone calls a model perfect that always refuses, or always says that it cannot
know. Beside coverage, accuracy and false abstention the same two look as they should.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from edgebias.infer.items import Item
from edgebias.infer.outcome import REFUSAL, UNKNOWN
from edgebias.infer.responses import response, response_table

ALWAYS_UNKNOWN, ALWAYS_REFUSE = "always_unknown", "always_refuse"
CONTROLS = (ALWAYS_UNKNOWN, ALWAYS_REFUSE)


def control_answers(method: str, items: Sequence[Item], formats: Sequence[str], seed: int) -> pd.DataFrame:
    """The response table of a control: nothing but refusals, or the option of role ``unknown`` wherever there is one.

    Without such an option, always saying so is a refusal, too.
    """
    rows = []
    for item in items:
        abstains = method == ALWAYS_UNKNOWN and UNKNOWN in item.roles
        for name in formats:
            rows.append(
                response(
                    item_id=item.item_id,
                    format_name=name,
                    permutation=item.permutation,
                    template=method,
                    seed=seed,
                    choice=item.roles.index(UNKNOWN) if abstains else -1,
                    outcome=UNKNOWN if abstains else REFUSAL,
                )
            )
    return response_table(rows)
