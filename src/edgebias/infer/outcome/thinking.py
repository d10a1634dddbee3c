"""What a model thinks before it answers, which is no part of its answer."""

from __future__ import annotations

import re

from edgebias.infer.outcome.shapes import says

_NAMES = (
    "think(?:ing|_silent|_fast|_faster)?|thoughts?|reason(?:ing)?|reflection|analysis|scratchpad|inner_monologue|cot"
    "|seed:think"
)
_OPENED = rf"""<\s*(?:{_NAMES})(?:\s[^<>]*)?>|\[think(?:ing)?\]|\u25c1think\u25b7|<\|begin_of_thought\|>
    |<\|start_thinking\|>|<unused94>(?:thought)?
    |(?:<\|start\|>assistant)?<\|channel\|>\s*(?:analysis|commentary)[^<]*(?:<\|constrain\|>[^<]*)?(?:<\|message\|>|\Z)"""
_CLOSED = rf"""<\s*/\s*(?:{_NAMES})\s*>|\[/think(?:ing)?\]|\u25c1/think\u25b7|<\|end_of_thought\|>
    |<\|end_thinking\|>|<unused95>
    |(?:<\|end\|>)?(?:<\|start\|>assistant)?<\|channel\|>\s*final[^<]*(?:<\|constrain\|>[^<]*)?<\|message\|>"""
_MARK = re.compile(rf"(?P<opened>{_OPENED})|(?P<closed>{_CLOSED})", re.VERBOSE | re.IGNORECASE)
_BARE_CHANNELS = re.compile(r"\Aanalysis(?=[A-Z]).*?(?:assistantfinal|\Z)", re.DOTALL)
"""The channels of the harmony format, where a server has left the marks out."""
_BEGUN = re.compile(
    r"\A\W*<\s*(?:thi|thin|think|thinki|thinkin|thinking|reaso|reason|reasoni|reasonin|reasoning)\Z", re.I
)


def without_thinking(text: str) -> tuple[str, bool]:
    """Return what stands outside of blocks of thinking, and whether the last block was cut off.

    A closing mark without an opening one ends a block that the prompt has opened; blocks inside a block are part of it.
    """
    if _BEGUN.match(text):
        return "", True
    bare = _BARE_CHANNELS.match(text)
    if bare:
        return text[bare.end() :], not bare[0].endswith("assistantfinal")
    outside: list[str] = []
    inside, last = False, 0
    for mark in _MARK.finditer(text):
        if not inside:
            outside.append(text[last : mark.start()])
        if mark["closed"] is not None and not inside:
            outside.clear()
        inside, last = mark["closed"] is None, mark.end()
    if not inside:
        outside.append(text[last:])
    return "\n".join(outside), inside


def cut_while_thinking(text: str) -> bool:
    """Return whether a reply ended before its thinking did, so that it holds no answer."""
    outside, cut = without_thinking(text)
    return cut and not says(outside)
