"""The same prompt in every environment: llama.cpp, transformers, the loopback server, the library behind `serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import llama_cpp
import pytest
from gguf import GGUFValueType

from edgebias.backends.base import GenerationRequest, GenerationSettings, Message, OptionRequest, Prompt
from edgebias.backends.local.llama_engine import LlamaBackend
from edgebias.backends.local.llama_vocabulary import ADDS_BEGIN_KEY
from edgebias.backends.local.prompt_tokens import START_TOKEN_KEY
from edgebias.backends.local.served_template import SERVED_FORMAT, register_served_format
from edgebias.backends.local.torch_engine import TorchBackend
from edgebias.backends.registry import open_backend
from edgebias.core.errors import InputError
from edgebias.models.convert import convert
from edgebias.models.gguf import float_data, open_gguf, rewrite

TURN = "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
TEMPLATES = {
    "plain ChatML": "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "with the date": "{{ strftime_now('%d %B %Y') }}\n" + TURN + "<|im_start|>assistant\n",
    "with the date of the week": "{% if strftime_now is defined %}{{ strftime_now('%A') }}{% endif %}" + TURN,
    "without tools": "{% if tools is not none %}You have tools.{% endif %}" + TURN,
    "marked": TURN.replace("{{ m['content'] }}", "{% generation %}{{ m['content'] }}{% endgeneration %}"),
    "with loop controls": "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}"
    "{{ m.content }}{% endfor %}",
    "with json": "{{ messages | tojson(indent=1, ensure_ascii=true) }}<|im_start|>",
    "with its own begin token": "{{ bos_token }}" + TURN + "{{ eos_token }}<|im_start|>",
    "ending in a newline": TURN + "<|im_start|>assistant\n\n",
}
PROMPTS = [
    Prompt(messages=(Message("user", "A or B?"),)),
    Prompt(messages=(Message("system", "Be fair."), Message("user", "Who — “she”?"), Message("assistant", "No."))),
]
ASKED = [GenerationRequest(prompt) for prompt in PROMPTS]
SETTINGS = GenerationSettings(max_new_tokens=6)


def with_template(source: Path, path: Path, template: str) -> Path:
    """The model of ``source`` with another chat template; an empty one is none."""
    return with_entries(source, path, {"tokenizer.chat_template": (template, GGUFValueType.STRING)})


def with_entries(source: Path, path: Path, entries: dict[str, tuple[Any, GGUFValueType]]) -> Path:
    """The model of ``source`` with other metadata."""
    rewrite(open_gguf(source), path, lambda tensor: tensor.tensor_type, float_data, entries)
    return path


def prompts_of_library(weights: Path) -> list[list[int]]:
    """The tokens that llama-cpp-python reads of `PROMPTS` in the format of our servers."""
    register_served_format()
    read: list[list[int]] = []
    model = llama_cpp.Llama(model_path=str(weights), chat_format=SERVED_FORMAT, n_ctx=256, verbose=False)
    complete = model.create_completion

    def create_completion(prompt: list[int], **options: Any) -> Any:
        read.append(list(prompt))
        return complete(prompt, **options)

    model.create_completion = create_completion  # type: ignore[method-assign]
    for prompt in PROMPTS:
        turns: list[Any] = [{"role": turn.role, "content": turn.content} for turn in prompt.messages]
        model.create_chat_completion(turns, max_tokens=1)
    model.close()
    return read


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_environment_reads_the_same_tokens(name: str, tiny: Any, tmp_path: Path) -> None:
    """Whatever the template uses; a plain ChatML template is no other one."""
    weights = with_template(tiny.gguf, tmp_path / "model.gguf", TEMPLATES[name])
    with LlamaBackend(weights, threads=1, context=512, start_token=None) as llama:
        ours = [llama.tokens_of(0, OptionRequest(prompt, ("A",)))[0] for prompt in PROMPTS]
    with TorchBackend(tiny.folder, threads=1, context=512, start_token=None) as torch:
        torch._tokenizer.chat_template = TEMPLATES[name]
        form = torch._vocabulary.prompt_form(None)
        theirs = [form.tokens(0, prompt, torch.tokenise) for prompt in PROMPTS]
    assert ours == theirs == prompts_of_library(weights)


@pytest.mark.parametrize("name", ["plain ChatML", "with the date"])
def test_the_loopback_server_reads_what_llama_reads(name: str, tiny: Any, tmp_path: Path) -> None:
    """As many tokens over HTTP: another format or today's date would be more or fewer."""
    weights = with_template(tiny.gguf, tmp_path / "model.gguf", TEMPLATES[name])
    with LlamaBackend(weights, threads=1, context=512, start_token=None) as llama:
        list(llama.generate(ASKED, SETTINGS))
        read = llama.usage().prompt_tokens
    environment = {"backend": "openai", "endpoint": "loopback", "threads": 1, "context": 512}
    with open_backend(environment, {}, weights) as loopback:
        list(loopback.generate(ASKED, SETTINGS))
        assert loopback.usage().prompt_tokens == read


def test_variables_called_as_something_else_reach_the_template_everywhere(tiny: Any, tmp_path: Path) -> None:
    """A server's own arguments, such as tools and stop, take none of the template's variables away."""
    template = "{{ tools | length }}{{ stop }}{{ seed }}{{ grammar }}{{ tool_choice }}" + TURN
    variables = {"tools": [1, 2], "stop": "s" * 9, "seed": 12345678, "grammar": "g", "tool_choice": "none"}
    weights = with_template(tiny.gguf, tmp_path / "model.gguf", template)
    with LlamaBackend(weights, threads=1, context=512, start_token=None, template_variables=variables) as llama:
        list(llama.generate(ASKED, SETTINGS))
        read = llama.usage().prompt_tokens
    environment = {"backend": "openai", "endpoint": "loopback", "threads": 1, "context": 512}
    with open_backend(environment, {"chat_template_kwargs": variables}, weights) as loopback:
        list(loopback.generate(ASKED, SETTINGS))
        assert loopback.usage().prompt_tokens == read


def test_a_template_that_leaves_the_text_out_is_one_plain_error_everywhere(tiny: Any, tmp_path: Path) -> None:
    """Templates for contents in parts find none in a text: the model would be asked nothing, without a word."""
    parts = "{% for m in messages %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endfor %}<|im_start|>"
    for number, template in enumerate((parts, " \n", "{{ bos_token }}")):
        weights = with_template(tiny.gguf, tmp_path / f"{number}.gguf", template)
        with LlamaBackend(weights, threads=1, context=512, start_token=None) as llama:
            with pytest.raises(InputError, match="leaves out what a user says"):
                list(llama.generate(ASKED, SETTINGS))
            assert len(list(llama.generate([GenerationRequest(Prompt(text="Who?"))], SETTINGS))) == 1
    environment = {"backend": "openai", "endpoint": "loopback", "threads": 1, "context": 512}
    with (
        open_backend(environment, {}, tmp_path / "0.gguf") as loopback,
        pytest.raises(InputError, match="leaves out what a user says"),
    ):
        list(loopback.generate(ASKED, SETTINGS))


def test_a_model_without_template_is_one_plain_error_everywhere(tiny: Any, tmp_path: Path) -> None:
    """Never another model's format; what needs no template goes on."""
    weights = with_template(tiny.gguf, tmp_path / "base.gguf", "")
    plain = [OptionRequest(Prompt(text="Who?"), (" A", " B"))]
    written = [GenerationRequest(Prompt(text="Who?"))]
    with LlamaBackend(weights, threads=1, context=512, start_token=None) as llama:
        with pytest.raises(InputError, match="no chat template"):
            list(llama.generate(ASKED, SETTINGS))
        assert len(list(llama.score(plain))) == len(list(llama.generate(written, SETTINGS))) == 1
    with TorchBackend(tiny.folder, threads=1, context=512, start_token=None) as torch:
        torch._tokenizer.chat_template = None
        torch._form = torch._vocabulary.prompt_form(None)
        with pytest.raises(InputError, match="no chat template"):
            list(torch.generate(ASKED, SETTINGS))
        assert len(list(torch.score(plain))) == len(list(torch.generate(written, SETTINGS))) == 1
    environment = {"backend": "openai", "endpoint": "loopback", "threads": 1, "context": 512}
    with open_backend(environment, {}, weights) as loopback, pytest.raises(InputError, match="no chat template"):
        list(loopback.generate(ASKED, SETTINGS))


def test_a_template_that_refuses_is_one_plain_error_everywhere(tiny: Any, tmp_path: Path) -> None:
    """The template's own words, and no second try over HTTP."""
    weights = with_template(tiny.gguf, tmp_path / "strict.gguf", "{{ raise_exception('only one turn') }}")
    with LlamaBackend(weights, threads=1, context=512, start_token=None) as llama, pytest.raises(InputError) as ours:
        list(llama.generate(ASKED, SETTINGS))
    environment = {"backend": "openai", "endpoint": "loopback", "threads": 1, "context": 512}
    with open_backend(environment, {}, weights) as loopback, pytest.raises(InputError) as theirs:
        list(loopback.generate(ASKED, SETTINGS))
    assert "only one turn" in str(ours.value)
    assert "only one turn" in str(theirs.value)


SENTENCE = Prompt(text="Who?")


@pytest.mark.parametrize(
    ("entries", "named", "start"),
    [
        ({ADDS_BEGIN_KEY: (False, GGUFValueType.BOOL)}, None, "\n"),
        ({ADDS_BEGIN_KEY: (True, GGUFValueType.BOOL)}, None, "<|im_start|>"),
        ({START_TOKEN_KEY: ("<|im_end|>", GGUFValueType.STRING)}, None, "<|im_end|>"),
        ({START_TOKEN_KEY: ("<|im_end|>", GGUFValueType.STRING)}, "<|endoftext|>", "<|endoftext|>"),
    ],
    ids=["no begin token added", "begin token added", "named in the file", "named by the caller"],
)
def test_a_sentence_without_context_follows_one_token_everywhere(
    entries: dict[str, tuple[Any, GGUFValueType]], named: str | None, start: str, tiny: Any, tmp_path: Path
) -> None:
    """A study of a file whose parameters name none asks as an audit does, in llama.cpp and in transformers."""
    weights = with_entries(tiny.gguf, tmp_path / "model.gguf", entries)
    convert(weights, tmp_path / "folder")
    with LlamaBackend(weights, threads=1, context=512, start_token=named) as llama:
        assert llama.tokens_of(0, OptionRequest(SENTENCE, (" A",)))[0] == [
            *llama.tokenise(start, special=True),
            *llama.tokenise("Who?", special=False),
        ]
        ours = list(llama.score([OptionRequest(SENTENCE, (" A", " B"))]))
    with TorchBackend(tmp_path / "folder", threads=1, context=512, start_token=named) as torch:
        theirs = list(torch.score([OptionRequest(SENTENCE, (" A", " B"))]))
    assert theirs[0].logprobs == pytest.approx(ours[0].logprobs, abs=0.05)
