"""Controls: answers that no model is needed for, which a table of mitigations must show to be bad.

A score that counts stereotyped answers alone calls a model perfect that always refuses, or always says that it cannot
know. Beside coverage, accuracy and false abstention the same two look as they should.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from edgebias.infer.outcome import REFUSAL, UNKNOWN
from edgebias.infer.responses import response, response_table
from edgebias.suites.item import Item


def control_answers(
    template: str, items: Sequence[Item], formats: Sequence[str], seed: int, *, abstains: bool
) -> pd.DataFrame:
    """Answer every item in every format without a model.

    Args:
        template: what the responses name as theirs, the name of the control.
        items: what is asked.
        formats: of the answers.
        seed: of the study.
        abstains: choose the option of role ``unknown`` wherever there is one; refuse elsewhere.
    """
    rows = []
    for item in items:
        knows_not = abstains and UNKNOWN in item.roles
        for name in formats:
            rows.append(
                response(
                    item_id=item.item_id,
                    format_name=name,
                    permutation=item.permutation,
                    template=template,
                    seed=seed,
                    choice=item.roles.index(UNKNOWN) if knows_not else -1,
                    outcome=UNKNOWN if knows_not else REFUSAL,
                )
            )
    return response_table(rows)
