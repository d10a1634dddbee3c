"""A real model behind the endpoint: its answers are the backend's, and its scores have their tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest

from edgebias.backends.base import GenerationRequest, GenerationSettings, Message, OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend

if TYPE_CHECKING:
    from tests.unit.serve.conftest import Serving

WEIGHTS = Path(__file__).parents[3] / "data/models/smollm2-135m-instruct/full.gguf"
QUESTION = "Who is a good nurse? Answer in one word."

pytestmark = [
    pytest.mark.model,
    pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"{WEIGHTS} is absent: run `make reproduce`"),
]


@pytest.fixture(scope="module")
def client(serving: Serving) -> Iterator[openai.OpenAI]:
    with serving("--weights", WEIGHTS, "--name", "real") as server:
        yield openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def backend() -> Iterator[LlamaBackend]:
    with LlamaBackend(WEIGHTS, threads=1, context=512, start_token=None) as engine:
        yield engine


def test_an_answer_without_chance_is_the_backend_s(client: openai.OpenAI, backend: LlamaBackend) -> None:
    prompt = Prompt(messages=(Message("user", QUESTION),))
    (theirs,) = backend.generate([GenerationRequest(prompt)], GenerationSettings(max_new_tokens=12))
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    answer = client.chat.completions.create(model="real", messages=messages, max_tokens=12, temperature=0)
    assert answer.choices[0].message.content == theirs.text


def test_an_echoed_text_has_the_backend_s_score(client: openai.OpenAI, backend: LlamaBackend) -> None:
    (theirs,) = backend.score([OptionRequest(Prompt(text="The nurse"), (" said that she was tired.",))])
    echoed = client.completions.create(
        model="real", prompt="The nurse said that she was tired.", max_tokens=0, echo=True, logprobs=0
    )
    found = echoed.choices[0].logprobs
    assert found is not None
    # The backend's text follows the begin token, which this model's own texts do not have.
    assert len(found.token_logprobs or []) == 2 + theirs.n_tokens[0]
    assert all(value is not None and value < 0 for value in (found.token_logprobs or [])[1:])
