"""Chat templates: the same bytes as transformers, on every day; a template is another's program, and is held in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest

from edgebias.backends.base import Message
from edgebias.backends.chat_template import TODAY, check_template, render_chat, render_turns
from edgebias.core.errors import InputError

TURNS: list[dict[str, Any]] = [
    {"role": "system", "content": "Be <fair> & brief."},
    {"role": "user", "content": "  A or B?\n"},
    {"role": "assistant", "content": "<think>\nhm\n</think>\n\nÄ — “B”"},
    {"role": "user", "content": "Sure?"},
]

LOOP = "{% for m in messages %}"
END = "{% endfor %}"

TEMPLATES = {
    "chatml": LOOP + "{{ '<|im_start|>' + m['role'] + '\n' + m.content + '<|im_end|>\n' }}" + END
    + "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "blocks on lines of their own": "  {% for m in messages %}\n    {% if m.role == 'user' %}\n"
    "[{{ m.content | trim }}]\n"
    "    {% endif %}\n  {% endfor %}\n{%- if add_generation_prompt -%}\n  >>  \n{% endif %}\n",
    "comments": "{# first #}\n  {# second #}\nx{#- third -#}  \ny\n",
    "trailing newline": "a\n",
    "two trailing newlines": "a\n\n",
    "carriage returns": "a\r\n{% if true %}\r\nb{% endif %}\r\n",
    "tokens": "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ pad_token is defined }}",
    "tools none": "{% if tools is not none %}TOOLS{% endif %}{% if tools is defined %}defined{% endif %}",
    "tools false": "{%- if not tools %}no tools{% else %}tools{%- endif %}",
    "documents": "{% if documents %}docs{% else %}none{% endif %}{{ documents is none }}",
    "no variable": "{{ enable_thinking is defined }}{% if enable_thinking is defined and not enable_thinking %}"
    "no{% endif %}",
    "json": "{{ messages | tojson }}",
    "json indent": "{{ messages | tojson(indent=4) }}",
    "json text indent": "{{ messages[0] | tojson(indent='\t') }}",
    "json ascii": "{{ messages[2] | tojson(ensure_ascii=True) }}{{ messages[2] | tojson(true, 2) }}",
    "json separators": "{{ messages[1] | tojson(separators=(',', ':'), sort_keys=true) }}",
    "date": "{{ strftime_now('%Y-%m-%d') }} {{ strftime_now('%d %b %Y %H:%M:%S') }} {{ strftime_now(format='%A %j') }}",
    "date if defined": "{% if strftime_now is defined %}{% set d = strftime_now('%d %b %Y') %}{% else %}"
    "{% set d = '26 Jul 2024' %}{% endif %}{{ d }}",
    "generation": LOOP + "{% if m.role == 'assistant' %}{% generation %}\n{{ m.content }}{% endgeneration %}\n"
    "{% else %}{{ m.content }}{% endif %}" + END,
    "generation trimmed": LOOP + "{%- generation -%}  {{ m.role }}{{ loop.index }}  {%- endgeneration -%}" + END,
    "generation keeps names in": "{% set x = 1 %}{% generation %}{% set x = 2 %}{{ x }}{% endgeneration %}{{ x }}",
    "break": LOOP + "{% if loop.index == 3 %}{% break %}{% endif %}{{ m.role }}" + END,
    "continue": LOOP + "{% if m.role == 'system' %}{% continue %}{% endif %}{{ m.role }},{{ loop.last }} " + END,
    "namespace": "{% set ns = namespace(found=false, n=0) %}" + LOOP + "{% set ns.n = ns.n + 1 %}"
    "{% if m.role == 'user' %}{% set ns.found = m.content %}{% endif %}" + END + "{{ ns.n }}{{ ns.found }}",
    "namespace of a mapping": "{% set ns = namespace({'a': 1}, b=2) %}{{ ns.a + ns.b }}",
    "dict": "{{ dict(a=1) }}{{ dict({'b': 2}, c=3) }}{{ dict.fromkeys(['x']) }}",
    "macro": "{% macro turn(m, sep='\n') %}<{{ m.role }}>{{ sep }}{{ caller() if caller else '' }}{% endmacro %}" + LOOP
    + "{{ turn(m) }}{% call turn(m, '-') %}in{% endcall %}" + END,
    "strings": LOOP + "{{ m.content.split('</think>')[-1].strip() }}{{ m.content.startswith('  ') }}{{ m.content[:3] }}"
    "{{ m.content.upper() | replace('A', 'b') | length }}{{ '%s|%d' % (m.role, loop.index0) }}" + END,
    "slices": "{{ messages[::-1] | map(attribute='role') | join(',') }}"
    "{{ messages[1:] | length }}{{ messages[-1].content }}",
    "tests": LOOP + "{{ m.content is string }}{{ m is mapping }}{{ m.tool_calls is defined }}{{ m['x'] is none }}"
    "{{ m.content is iterable }}{{ 'role' in m }}" + END,
    "selectattr": "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ (messages | first).role }}",
    "undefined": "[{{ nothing }}]{{ messages[0].nothing }}{% if nothing %}x{% endif %}{{ nothing | default('d') }}",
    "range": "{% for i in range(3) %}{{ i }}{% endfor %}{{ range(5) | list }}{{ range(10)[3] }}",
    "loops": "{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% else %}none{% endfor %}{{ loop is defined }}",
    "html is not escaped": "{{ '<b>&' }}{{ '<b>' | e }}{{ messages[0].content }}",
    "set block": "{% set text %}\n  {{ messages[1].content }}\n{% endset %}[{{ text }}]",
    "filter block": "{% filter upper %}abc{{ messages[1].role }}{% endfilter %}",
    "raw": "{% raw %}{{ not rendered }}{% endraw %}\n{{ '{{' }}",
    "line statements are text": "# for x in y\n## comment\n{{ 1 }}",
    "recursion": "{% for x in [[1, [2]], [3]] recursive %}"
    "{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% endfor %}",
    "unicode": "🙂 {{ '\\u00e9' }} {{ messages[2].content | length }}",
    "thinking": "{% set enable_thinking = enable_thinking | default(true) %}{{ '<think>' if enable_thinking }}",
    "alternation": LOOP + "{% if m.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}{{ m.role }}" + END,
    "numbers": "{{ 7 // 2 }}{{ 7 / 2 }}{{ 2 ** 3 }}{{ 1.0 }}{{ true }}{{ none }}{{ 10 | string + 'x' }}",
}  # fmt: skip


def by_transformers(monkeypatch: pytest.MonkeyPatch, template: str, turns: Any = TURNS, **variables: Any) -> str:
    """What a tokenizer of transformers renders, its clock set to `TODAY`."""
    import tokenizers
    import transformers
    from transformers.utils import chat_template_utils

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return TODAY

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer(tokenizers.models.BPE()), bos_token="<s>", eos_token="</s>"
    )
    rendered = tokenizer.apply_chat_template(
        turns, chat_template=template, tokenize=False, add_generation_prompt=True, **variables
    )
    assert isinstance(rendered, str)
    return rendered


def ours(template: str, turns: Any = TURNS, variables: Mapping[str, Any] | None = None) -> str:
    return render_turns(template, turns, bos_token="<s>", eos_token="</s>", variables=variables)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_renders_as_transformers_renders_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, whatever a template uses."""
    assert ours(TEMPLATES[name]) == by_transformers(monkeypatch, TEMPLATES[name])


@pytest.mark.parametrize("value", [True, False, None])
def test_variables_reach_the_template(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a study or a client sets for the template arrives as it does in transformers."""
    for name in ("thinking", "no variable", "tools none"):
        expected = by_transformers(monkeypatch, TEMPLATES[name], enable_thinking=value)
        assert ours(TEMPLATES[name], variables={"enable_thinking": value}) == expected
    tools = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
    template = "{{ tools | tojson }}{{ tools is none }}"
    assert ours(template, variables={"tools": tools}) == by_transformers(monkeypatch, template, tools=tools)


def test_an_entry_of_null_is_as_if_it_were_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn of the OpenAI API may have ``content: null``."""
    turns = [{"role": "user", "content": "x", "name": None}, {"role": "assistant", "content": None, "tool_calls": [1]}]
    template = LOOP + "{{ m.content is defined }}{{ m.name is defined }}{{ m.tool_calls }}" + END
    assert ours(template, turns) == by_transformers(monkeypatch, template, turns) == "TrueFalseFalseFalse[1]"


def test_the_date_is_the_same_on_every_day() -> None:
    """``strftime_now`` tells one documented date, and so do templates that have a date of their own without it."""
    text = render_chat(TEMPLATES["date if defined"], [Message("user", "x")], bos_token="", eos_token="", variables={})
    assert text == "26 Jul 2024" == TODAY.strftime("%d %b %Y")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('Roles must alternate') }}", "Roles must alternate"),
        ("{{ nothing.at.all }}", "'nothing' is undefined"),
        ("{{ 'a' + 1 }}", "can only concatenate str"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{{ nothing | tojson }}", "not JSON serializable"),
        ("{{ messages.append(1) }}", "attribute .append. of .list. object is unsafe"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ namespace(_a=1) }}", "'_a' is private"),
        ("{% set ns = namespace() %}{% set ns.__class__ = 1 %}", "'__class__' is private"),
        ("{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}", "recursion"),
        ("{{ range(999999) }}", "too big"),
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "loops take more than"),
        ("{% for i in range(90000) %}{{ 'x' * 1000 }}{% endfor %}", "writes more than"),
        ("{% include 'other' %}", "loader"),
    ],
)  # fmt: skip
def test_a_template_that_fails_is_told_in_one_line(template: str, reason: str) -> None:
    """Whatever it raises, and however long it would run."""
    with pytest.raises(InputError, match=reason) as caught:
        ours(template)
    assert "chat template" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("template", ["{{ x", "{% for %}", "{% nonsense %}", "{{ x | no_such_filter }}", "{% endif %}"])
def test_a_template_that_is_no_jinja_says_so(template: str) -> None:
    """A broken template is no refusal of the messages."""
    for attempt in (lambda: ours(template), lambda: check_template(template)):
        with pytest.raises(InputError, match="chat template is no Jinja2"):
            attempt()


@pytest.mark.parametrize("template", [None, ""])
def test_a_model_without_template_is_told_with_the_formats_that_are_left(template: str | None) -> None:
    """The way out names the formats that need no template."""
    with pytest.raises(InputError, match=r"no chat template.*likelihood and continuation"):
        render_chat(template, [Message("user", "x")], bos_token="", eos_token="")


TURN = "[{{ m.role }}: {{ m.content }}]"
WITHOUT_SYSTEM = {
    "refuses it": "{% if messages[0].role == 'system' %}{{ raise_exception('none') }}{% endif %}" + LOOP + TURN + END,
    "leaves it out": "{% for m in messages if m.role != 'system' %}" + TURN + END,
}


@pytest.mark.parametrize("name", WITHOUT_SYSTEM)
def test_what_a_template_has_no_system_turn_for_stands_in_the_user_turn(name: str) -> None:
    """The text of the system turn is read by every model, first and in full."""
    turns = [Message("system", "Be kind."), Message("user", "Who?"), Message("assistant", "I."), Message("user", "So?")]
    text = render_chat(WITHOUT_SYSTEM[name], turns, bos_token="", eos_token="")
    assert text == "[user: Be kind.\n\nWho?][assistant: I.][user: So?]"


def test_a_template_with_a_system_turn_keeps_it() -> None:
    turns = [Message("system", "Be kind."), Message("user", "Who?")]
    text = render_chat(LOOP + TURN + END, turns, bos_token="", eos_token="")
    assert text == "[system: Be kind.][user: Who?]"
