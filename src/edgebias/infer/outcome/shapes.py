"""The shapes in which a reply comes: marks of turns around it, and JSON, tags or LaTeX that name its answer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_QUOTES = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201a": "'", "\u201b": "'", "\u2032": "'", "\u201c": '"', "\u201d": '"'}
    | {"\u201e": '"', "\u00ab": '"', "\u00bb": '"', "\u300c": '"', "\u300d": '"', "\u300e": '"', "\u300f": '"'}
    | {"\u3010": "[", "\u3011": "]", "\u2039": "'", "\u203a": "'", "`": "", "*": "", "_": " "}
)
LONGEST = 1000
"""Of a longer answer, as many characters of its beginning and of its end are read."""

_UNSEEN = {"Cc", "Cf", "Co"}
"""Categories of characters that show nothing; line breaks and tabs are kept."""

_BEFORE = re.compile(
    r"""\A\s*(?:(?:<\|im_start\|>|<\|start\|>|<\|start_header_id\|>|<start_of_turn>)\s*(?:assistant|model)\b
            (?:<\|end_header_id\|>|<\|message\|>)?
        |<s>|<bos>|\[INST\]|<\|(?:assistant|begin_of_text|startoftext|CHATBOT_TOKEN|START_OF_TURN_TOKEN)\|>
        |(?:assistant|model)\s*\n|(?:assistant|AI|bot)\s*:\s)\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_END_OF_TURN = re.compile(
    r"""<\|[^<>|\n]{1,40}\|>|</?s>|</?(?:eos|bos|pad|unk|end_of_turn|start_of_turn|end_of_utterance
        |end\u2581of\u2581turn)>
        |\[/?(?:INST|EOS|SYS|SYSTEM_PROMPT|AVAILABLE_TOOLS)\]|<<?/?SYS>>?""",
    re.VERBOSE | re.IGNORECASE,
)
_NEXT_TURN = re.compile(
    r"\n[ \t>#]*(?:context|question|q|user|human|instruction|input|passage|problem|example|exercise|options|choices)\b"
    r"[^\n:]{0,12}:"
    r"|\n[ \t>#]*(?:please\s+)?answer[ ]+(?:with|in|using|by)[ ]"
    r"|\n[ \t]*###\s+(?!answer|response|final)|\n\s*(?:user|human)\s*\n"
    r"|\n[ \t]*(?:\(?\d+[.):][ \t]*)?(?:who|whom|whose|which|what|why|when|where|how)\b[^\n?]*\?[ \t]*\n",
    re.IGNORECASE,
)

_ANSWER = (
    r"(?:final|selected|correct|chosen|best|my|your)?[\s-]?"
    r"(?:answer|choice|option|letter|response|output|selection|result)"
)
_FIELD = re.compile(
    rf"""[{{,]\s*["']?\s*{_ANSWER}(?:[\s-](?:letter|text|option|choice|key))?\s*["']?\s*:\s*
        (?:"(?P<double>(?:[^"\\]|\\.)*)|'(?P<single>.*?)(?='\s*(?:[,}}\]]|\Z)|\Z)|[\[{{](?P<inside>[^\]}}]*)|(?P<plain>[^\s,}}"'\[{{][^,}}\n]*))""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_KEYS = re.compile(r"""["']?[\w ]+["']?\s*:\s*""")
_TAG = re.compile(
    r"<\s*(?P<name>(?:final\s?|my\s?)?(?:answer|choice|option|response|output|result)"
    r"|final)\s*>(?P<inside>.*?)(?:</\s*(?P=name)\s*>|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_PAIR = re.compile(r"<(?P<name>[A-Za-z][\w-]*)(?:\s[^<>]*)?>(?P<inside>[^<>]*)</(?P=name)\s*>")
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?P<opened>\{)")
_LATEX = re.compile(r"\\(?:text(?:bf|it|rm|sf|tt)?|math(?:bf|it|rm|sf|tt)?|bf|rm|operatorname)\s*(?=\{)|\\[()\[\] ,;!]")
_FENCE = re.compile(r"^[ \t]*```[\w+-]*[ \t]*$|```", re.MULTILINE)


def plain_text(text: str) -> str:
    """Return the text with one kind of quote and without markup of emphasis and what cannot be seen."""
    text = unicodedata.normalize("NFKC", _FENCE.sub("", text))
    seen = (c for c in text if c in "\n\t" or unicodedata.category(c) not in _UNSEEN)
    return "".join(seen).translate(_QUOTES).strip()


def own_turn(text: str) -> str:
    """Return what a model wrote in its own turn: nothing from the mark of a turn's end, or from a new question, on."""
    text = unicodedata.normalize("NFKC", text.strip())
    text = text if len(text) <= 2 * LONGEST else f"{text[:LONGEST]}\n{text[-LONGEST:]}"
    before = _BEFORE.match(text)
    while before:
        text = text[before.end() :]
        before = _BEFORE.match(text)
    ended = next((mark for mark in _END_OF_TURN.finditer(text) if says(text[: mark.start()])), None)
    text = _END_OF_TURN.sub(" ", text[: ended.start()] if ended else text)
    turn = next((mark for mark in _NEXT_TURN.finditer(text) if says(text[: mark.start()])), None)
    return text[: turn.start()] if turn else text


def named_answers(text: str) -> list[str]:
    """Return what a reply marks as its answer: in a LaTeX box, else in a tag, else in a field of JSON."""
    boxes = [_balanced(text, box.start("opened")) for box in _BOX.finditer(text)]
    if boxes:
        return [_LATEX.sub("", box).replace("{", " ").replace("}", " ") for box in boxes]
    tags = [tag["inside"] for tag in _TAG.finditer(text)]
    if tags:
        return tags
    return [_value(field) for field in _FIELD.finditer(text)]


def without_marks(text: str) -> str:
    """Return the text without pairs of tags and without the commands of LaTeX."""
    text = _LATEX.sub("", text)
    return _PAIR.sub(lambda pair: pair["inside"], text)


def says(text: str) -> bool:
    """Return whether there is a letter or a digit."""
    return any(character.isalnum() for character in text)


def _value(field: re.Match[str]) -> str:
    """Return the value of a field; of a list or an object what stands in it, without the names of its fields."""
    value = next((field[name] for name in ("double", "single", "plain") if field[name] is not None), None)
    return value if value is not None else _KEYS.sub("", field["inside"])


def _balanced(text: str, opened: int) -> str:
    depth = 0
    for place in range(opened, len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[opened + 1 : place]
    return text[opened + 1 :]


def only_letter(text: str) -> str:
    """Return the letter, in upper case, of a text that is one letter, marks and numbers of entries; else nothing."""
    bare = re.sub(r"\A\s*\d+[.)]\s|\(\d+\)", "", text)
    letters = [character for character in bare if character.isalnum()]
    return letters[0].upper() if len(letters) == 1 and letters[0].isascii() and letters[0].isalpha() else ""


def sentences(text: str) -> Sequence[str]:
    """Return the sentences of a text, the mark at the end of each included."""
    parts = re.split(r"\n+|(?<=[.;!?])(?=\s|\Z)|(?<=[\u3002\uff01\uff1f])", text)
    return [part for part in parts if part.strip(" \t.;!?")]
