"""Examples as tokens, exactly as the backends read a prompt and score what follows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebias.backends.base import Message, OptionRequest, Prompt
from edgebias.backends.local.transformers_vocabulary import TransformersVocabulary
from edgebias.core.errors import InputError
from edgebias.train.examples import ANSWERS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TokenSequence:
    """A prompt and what follows it: ``tokens``, of which the first ``n_prompt`` are the prompt."""

    tokens: tuple[int, ...]
    n_prompt: int

    @property
    def n_answer(self) -> int:
        """Number of tokens that follow the prompt, those that a loss is of."""
        return len(self.tokens) - self.n_prompt


@dataclass(frozen=True)
class Example:
    """An example as tokens: one sequence, or that of the chosen and that of the rejected answer.

    ``reference`` has the log-probability (nats) of each answer in the untrained build, where the objective needs it.
    ``augmented`` says whether a model wrote it; None where that does not matter.
    """

    sequences: tuple[TokenSequence, ...]
    reference: tuple[float, ...] = ()
    augmented: bool | None = None

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return max(len(sequence.tokens) for sequence in self.sequences)

    @property
    def n_answer(self) -> int:
        """Number of tokens that the loss is of."""
        return sum(sequence.n_answer for sequence in self.sequences)


def requests_of(table: pd.DataFrame, objective: str, wording: str) -> list[OptionRequest]:
    """Return each row as the request that scores its answers: the chat turns or the text, and what follows.

    Raises:
        InputError: a text has a system prompt.
    """
    requests = []
    for number, row in enumerate(table.to_dict("records")):
        if wording == "text" and row["system"]:
            raise InputError(f"row {number}: a plain text has no system prompt; put it into the prompt")
        turns = [Message("user", row["prompt"])]
        if row["system"]:
            turns.insert(0, Message("system", row["system"]))
        prompt = Prompt(text=row["prompt"]) if wording == "text" else Prompt(messages=tuple(turns))
        requests.append(OptionRequest(prompt, tuple(row[column] for column in ANSWERS[objective])))
    return requests


class Tokeniser:
    """Turns requests into examples with the tokeniser, chat template and start token of a folder of transformers.

    In a chat the model also learns to end its turn: the end token follows each answer.

    Args:
        folder: of the build.
        variables: more names that the chat template may read.
    """

    def __init__(self, folder: Path, variables: Mapping[str, Any]) -> None:
        from transformers import PreTrainedTokenizerFast

        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)  # as `TorchBackend` does
        self._vocabulary = TransformersVocabulary(tokenizer, folder)
        self._form = replace(self._vocabulary.prompt_form(None), variables=variables)

    def example(self, row: int, request: OptionRequest) -> Example:
        """Return the tokens of ``request``, which is that of row ``row``.

        Raises:
            InputError: a chat has an empty prompt, the model no chat template or no start token, or an answer no token.
        """
        vocabulary = self._vocabulary
        chat = request.prompt.text is None
        if chat and not request.prompt.messages[-1].content.strip():
            raise InputError(f"row {row}: its prompt is empty; write one, or set `wording: text`")
        prompt = self._form.tokens(row, request.prompt, vocabulary.tokenise)
        end = vocabulary.tokenizer.eos_token_id
        ending = [int(end)] if chat and end is not None else []
        sequences = []
        for answer in request.options:
            tokens = vocabulary.tokenise(answer, special=False)
            sequences.append(TokenSequence((*prompt, *tokens, *ending), len(prompt)))
        return Example(tuple(sequences))
