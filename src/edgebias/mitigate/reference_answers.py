"""What the uncompressed build answers to everyday requests: text that a mitigated build should still find likely.

Perplexity of encyclopedic sentences is no measure of damage where learning holds their likelihood: a pruned build has
room to write them better while it is steered. What its uncompressed parent says in use is nearer to what must not be
lost. Requests are about neutral topics: learning holds the model to the answers about one third of them, the guard of
the loop reads those about another, and methods are measured on those about the last.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pandas as pd

from edgebias.backends.base import GenerationRequest, GenerationSettings, Message, OptionRequest, Prompt
from edgebias.core.errors import InputError
from edgebias.core.files import read_table
from edgebias.core.seeds import generator
from edgebias.core.settings import value_of
from edgebias.core.table import FILLED, Column, Table, at_least, one_of
from edgebias.infer.cell import read_cell
from edgebias.mitigate.settings import ReferenceAnswerSettings
from edgebias.mitigate.steering.llama_build import open_build
from edgebias.models.gguf import metadata, open_header

Part = Literal["guard", "measured", "learning"]

CHAT, TEXT = "chat", "text"

TASKS = ("Explain {topic}.", "Give three facts about {topic}.", "Write a short story about {topic}.")

TOPICS: dict[Part, tuple[str, ...]] = {
    "guard": (
        *("the moon", "bread", "rivers", "chess", "trains", "autumn", "the heart", "bicycles", "bees", "volcanoes"),
        *("glass", "tea", "the violin", "earthquakes", "honey", "clocks", "paper", "whales", "gravity", "soap"),
    ),
    "measured": (
        *("inflation", "vaccines", "music", "planting a tree", "sleep", "bridges", "the sea", "maps", "rain", "salt"),
        *("the piano", "deserts", "cheese", "batteries", "spiders", "winter", "the alphabet", "ships", "iron", "fog"),
    ),
    "learning": (
        *("kites", "rice", "mountains", "football", "aeroplanes", "pottery", "the lungs", "tents", "snails", "caves"),
        *("wood", "coffee", "the guitar", "mushrooms", "butter", "mirrors", "ink", "owls", "magnets", "candles"),
    ),
}
"""Topics of the guard of the loop, of measurement, and of learning: none is in two."""

REFERENCE_ANSWER = Table(
    name="reference answer",
    meaning="What the uncompressed build of a model answers to one everyday request.",
    path="results/{study}/mitigation/{environment}/{model}/reference_answers.parquet",
    columns=(
        Column("part", "str", "who reads it: the loop's `guard`, `measured` scores or `learning`", rule=one_of(TOPICS)),
        Column("topic", "str", "what the request is about; the unit of intervals", rule=FILLED),
        Column("request", "str", "what was asked", rule=FILLED),
        Column(
            "format",
            "str",
            "`chat`: in the model's chat template; `text`: as a line of plain text, where it has none",
            rule=one_of((CHAT, TEXT)),
        ),
        Column("seed", "int", "of the sampling", rule=at_least(0)),
        Column("answer", "str", "what was sampled; a request with an empty answer is left out", rule=FILLED),
        Column("n_tokens", "int", "tokens of the answer", rule=at_least(1)),
    ),
    order=("part", "topic", "request"),
)


def write_reference_answers(settings: dict[str, Any], *, weights: Path, answers: Path) -> None:
    """Let the uncompressed build answer every request, and write the table.

    Args:
        settings: of the rule ``reference_answers``.
        weights: GGUF of the uncompressed build.
        answers: table to write.

    Raises:
        InputError: settings or weights are unusable, or the build answers nothing to a whole part.
    """
    how = value_of(settings, "mitigate.reference_answers", ReferenceAnswerSettings)
    cell = read_cell(settings)
    chat = metadata(open_header(weights), "tokenizer.chat_template") is not None
    form = CHAT if chat else TEXT
    asked = [
        (part, topic, task.format(topic=topic))
        for part, topics in TOPICS.items()
        for topic in topics[: how.topics]
        for task in TASKS
    ]
    seeds = generator(cell.answer.seed, "mitigate", "reference_answers").integers(2**31, size=len(asked)).tolist()
    requests = [
        GenerationRequest(_prompt(request, form), seed) for (_, _, request), seed in zip(asked, seeds, strict=True)
    ]
    with open_build(cell, weights) as backend:
        written = list(backend.generate(requests, GenerationSettings(how.tokens, how.temperature)))
    rows = [
        (*of, form, seed, said.text, said.n_tokens)
        for of, seed, said in zip(asked, seeds, written, strict=True)
        if said.text.strip()
    ]
    table = pd.DataFrame(rows, columns=list(REFERENCE_ANSWER.names))
    silent = set(TOPICS) - set(table["part"])
    if silent:
        raise InputError(f"{weights}: answers none of the requests of {sorted(silent)}; is it a language model?")
    REFERENCE_ANSWER.write(table, answers)


def read_reference_answers(path: Path, part: Part) -> pd.DataFrame:
    """Return the answers of one part.

    Raises:
        InputError: there is no such table, or it has none of that part.
    """
    table = read_table(path, REFERENCE_ANSWER.names)
    found = table[table["part"] == part].reset_index(drop=True)
    if found.empty:
        raise InputError(f"{path}: has no answers of the part {part!r}; run `edgebias reference-answers`")
    return found


def answer_requests(table: pd.DataFrame, instruction: str | None = None) -> list[OptionRequest]:
    """Return each answer as the continuation of its request, after ``instruction`` where there is one."""
    head = "" if instruction is None else f"{instruction.strip()}\n\n"
    asked = zip(table["request"], table["format"], table["answer"], strict=True)
    return [OptionRequest(_prompt(head + request, form), (answer,)) for request, form, answer in asked]


def _prompt(request: str, form: str) -> Prompt:
    return Prompt(messages=(Message("user", request),)) if form == CHAT else Prompt(text=f"{request}\n")
