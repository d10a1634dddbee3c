"""A grammar that goes along with an answer.

llama.cpp ends the whole process where a token is taken that its grammar does not allow, which happens when none is
allowed. So the grammar is kept out of the library's chain of samplers, and asked and told here.
"""

from __future__ import annotations

import ctypes
from typing import Any

import llama_cpp
import numpy as np
import numpy.typing as npt

from edgebias.core.errors import InputError

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)], align=True)
"""llama.cpp's ``llama_token_data``."""


class LiveGrammar:
    """What of an answer may come next.

    Args:
        model: llama-cpp-python's.
        text: the grammar.

    Raises:
        InputError: llama.cpp cannot read it.
    """

    def __init__(self, model: Any, text: str) -> None:
        vocabulary = llama_cpp.llama_model_get_vocab(model.model)
        self._sampler = llama_cpp.llama_sampler_init_grammar(vocabulary, text.encode("utf-8"), b"root")
        if not self._sampler:
            raise InputError("response_format: llama.cpp cannot read the schema's grammar; simplify the schema")
        self._candidates = np.zeros(model.n_vocab(), _CANDIDATE)

    def mask(self, _: Any, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return ``logits`` with minus infinity for every token that may not come next; as they are where none may."""
        self._candidates["id"] = np.arange(len(logits))
        self._candidates["logit"] = logits
        array = llama_cpp.llama_token_data_array(
            data=self._candidates.ctypes.data_as(ctypes.POINTER(llama_cpp.llama_token_data)),
            size=len(logits),
            selected=-1,
            sorted=False,
        )
        llama_cpp.llama_sampler_apply(self._sampler, ctypes.byref(array))
        masked = self._candidates["logit"]
        return masked if np.isfinite(masked).any() else logits

    def accept(self, token: int) -> None:
        """Go on after ``token``.

        Raises:
            InputError: `mask` did not allow it.
        """
        if not np.isfinite(self._candidates["logit"][token]):
            raise InputError("response_format: no token of this model goes on as the schema says; change the schema")
        llama_cpp.llama_sampler_accept(self._sampler, token)

    def __del__(self) -> None:
        if self._sampler:
            llama_cpp.llama_sampler_free(self._sampler)
