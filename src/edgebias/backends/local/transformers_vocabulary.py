"""The tokeniser of a folder of transformers, and what the prompts of its model look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebias.backends.local.prompt_tokens import START_SETTING, PromptForm, named_start


@dataclass(frozen=True)
class TransformersVocabulary:
    """A tokeniser of transformers.

    Attributes:
        tokenizer: what ``AutoTokenizer`` made.
        folder: where it comes from, for messages.
    """

    tokenizer: Any
    folder: Path

    def tokenise(self, text: str, *, special: bool) -> list[int]:
        """Return the tokens of ``text`` without any added begin token; ``special`` lets it name control tokens."""
        (tokens,) = self.tokenise_all([text], special=special)
        return tokens

    def tokenise_all(self, texts: Sequence[str], *, special: bool) -> list[list[int]]:
        """Return `tokenise` of each of ``texts``."""
        encoded = self.tokenizer(list(texts), add_special_tokens=False, split_special_tokens=not special)
        return [[int(token) for token in tokens] for tokens in encoded["input_ids"]]

    def prompt_form(self, start_token: str | None) -> PromptForm:
        """Return what prompts look like; ``start_token`` as `TorchBackend` has it.

        Raises:
            InputError: ``start_token`` is not one token of the model.
        """
        begin = self.tokenizer.bos_token_id
        start = [] if begin is None else [int(begin)]
        named = start_token if start_token is not None else self.tokenizer.init_kwargs.get(START_SETTING)
        if named is not None:
            start = named_start(named, self.tokenise, self.folder)
        templates = self.tokenizer.chat_template  # of several, transformers takes the one called "default"
        return PromptForm(
            tuple(start),
            templates.get("default") if isinstance(templates, dict) else templates,
            bos_token=self.tokenizer.bos_token or "",
            eos_token=self.tokenizer.eos_token or "",
        )
