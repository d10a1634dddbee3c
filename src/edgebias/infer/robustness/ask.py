"""Ask a crossed design: the log-probability of every letter, nothing generated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgebias.backends.base import Backend, OptionRequest
from edgebias.core.errors import InputError
from edgebias.core.table import FILLED, Column, Table, one_of
from edgebias.infer.answer import letters_in_item_order
from edgebias.infer.responses import RESPONSE, response
from edgebias.infer.robustness.design import Asked
from edgebias.infer.robustness.wording import TEMPLATES

FORMAT = "letter_likelihood"
"""The answer is the letter of the largest summed log-probability; no text is generated."""

ROBUSTNESS = Table(
    name="robustness response",
    meaning="One answer of one cell to an item in one order of options, one template and one wording of unknown.",
    path="results/{study}/robustness/{environment}/{model}/{variant}.parquet",
    columns=(
        *(
            Column("format", "str", f"`{FORMAT}`: the letter of the largest log-probability", rule=one_of((FORMAT,)))
            if column.name == "format"
            else column
            for column in RESPONSE.columns
        ),
        Column("unknown_wording", "str", "the text that the unknown option had", rule=FILLED),
    ),
    order=("item_id", "template", "unknown_wording"),
    relations=RESPONSE.relations,
)
"""Rows that ``order`` does not tell apart keep the order of their permutations."""


def ask(backend: Backend, design: Sequence[Asked], seed: int) -> Iterator[dict[str, object]]:
    """Yield one response row for each entry of ``design``, prompts that share a beginning one after another.

    Raises:
        InputError: the backend has no log-probabilities.
    """
    if not backend.scores_options:
        raise InputError(
            f"study.robustness: backend {backend.name!r} gives no log-probabilities of letters; "
            "name cells of the local backends"
        )
    worded = [(entry, TEMPLATES[entry.template](entry.item)) for entry in design]
    worded.sort(
        key=lambda pair: (pair[0].template, pair[0].item.item_id, pair[0].unknown_wording, pair[0].item.permutation)
    )
    requests = [OptionRequest(wording.prompt, wording.continuations) for _, wording in worded]
    for (entry, wording), scores in zip(worded, backend.score(requests), strict=True):
        logprobs, n_tokens = letters_in_item_order(entry.item, scores)
        best = max(range(len(logprobs)), key=lambda place: (logprobs[place], -place))
        row = response(
            item_id=entry.item.item_id,
            format_name=FORMAT,
            permutation=entry.item.permutation,
            template=wording.template,
            seed=seed,
            option_logprobs=logprobs,
            n_tokens=n_tokens,
            choice=best,
            outcome=entry.item.roles[best],
        )
        yield {**row, "unknown_wording": entry.unknown_wording}
