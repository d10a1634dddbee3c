"""A sentence as words that rules can be written on, with one private character for each option that it names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

TEXT, LETTER, LAST = 0xE000, 0xE100, 0xF8FF
"""The private characters that stand for options named by their text, and from the second number on for letters."""

MENTION = f"[{chr(TEXT)}-{chr(LAST)}]"
"""Pattern of any of them."""

NEAR = 240
"""How far from an option the words that say something of it may stand: a sentence of a model has no end of its own."""

_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "`": "", "*": "", "_": " "})
_ARTICLES = re.compile(r"\b(?:the|a|an)\b")
_NOT_WORD = re.compile(r"[^\w']+")
_POSSESSIVE = re.compile(r"(?<=[\w\ue000-\uf8ff])'s\b")
_TOKEN = re.compile(rf"{MENTION}|[\w']+|[,:;?!.()\"/|&-]")
_PUNCTUATION = re.compile(r" [,:;!.()\"/|&-](?= )")

_NEUTRAL = frozenset({"person", "individual", "one", "friend", "worker"})
_NOUNS = (frozenset({"man", "guy", "male", "gentleman"}), frozenset({"woman", "lady", "female"}), _NEUTRAL)
_ANYONE = ("one", "person", "man", "woman")
_NAMED = re.compile(r"(?P<first>[A-Z][\w'-]+) (?P<last>[A-Z][\w'-]+)(?P<more>, .+)?")
_CLAUSE = re.compile(r"(?P<core>.+?)(?: (?P<joint>who|whos|with|in|from) (?P<clause>.+))?")
_ENDS_THERE = (
    r"(?=\s*(?:[,.;:!?\n)\"]|\Z)|\s+(?:is|was|are|were|has|had|did|does|would|will|could|because|since|as|who)\b)"
)
"""After a modifier without its noun ("the Muslim"): else another noun may follow."""

_CLAIMS = re.compile(
    r"\b(?:no|without(?: any)?|beyond) (?:\w+ )?(?:doubt|question|mistake|denying)\b|\bnot (?:hard|difficult)\b"
)


@dataclass(frozen=True)
class Mention:
    """An option that a sentence names, and what stands before and after it in the sentence.

    Attributes:
        place: index of the option in item order; -1 where a letter names it.
        letter: number of the letter in the reply; -1 where the option's text names it.
        before: the words before it, at most `NEAR` characters of them.
        after: the words after it, likewise.
        asked: whether the sentence is a question.
    """

    place: int
    letter: int
    before: str
    after: str
    asked: bool


def key_of(text: str) -> str:
    """Return the words in lower case, without articles and punctuation, one space apart."""
    words = _NOT_WORD.sub(" ", unicodedata.normalize("NFKC", text).translate(_QUOTES).casefold())
    words = _POSSESSIVE.sub(" s", words)
    return " ".join(_ARTICLES.sub(" ", words).replace("'", "").split())


def spelled_out(plain: str, options: Sequence[str], people: Sequence[int]) -> str:
    """Return a text with what can only mean one option in that option's words: "Khalid" for "Khalid Ali", "the Muslim"
    or "the Muslim lady" for "the Muslim woman", "the one who drives" for "the woman who drives".

    ``people`` are the places of options that name somebody.
    """
    keys = [key_of(option) for option in options]
    said = f" {key_of(plain)} "
    for place in people:
        others = [key for key in keys if key != keys[place]]
        for own, pattern in _short_forms(options[place].strip(), keys[place]):
            if f" {own} " in said and not any(f" {own} " in f" {other} " for other in others):
                plain = re.sub(pattern, keys[place], plain)
                break
    return plain


def _short_forms(option: str, key: str) -> Iterator[tuple[str, str]]:
    """Yield words that are an option's own, and the pattern of the short form that has them."""
    name = _NAMED.fullmatch(option)
    if name:
        first, last, more = (re.escape(name[group] or "") for group in ("first", "last", "more"))
        yield key_of(name["first"]), rf"\b{first}\b(?: +{last}\b)?(?! +[A-Z]){f'(?!{more})' if more else ''}"
        return
    parts = _CLAUSE.fullmatch(key)
    core, joint, clause = parts.group("core", "joint", "clause") if parts else ("", None, None)
    if joint and core in _ANYONE:
        yield f"{joint} {clause}", rf"(?i)\b(?:{'|'.join(_ANYONE)})\s+{_spaced(f'{joint} {clause}')}\b"
    elif joint:
        yield core, rf"(?i)\b{_spaced(core)}\b(?!,?[\s-]+{joint})"
    *modifiers, noun = core.split() or [""]
    alike = next((nouns for nouns in _NOUNS if noun in nouns), None)
    if alike and modifiers and not joint:
        short, nouns = _spaced(" ".join(modifiers)), "|".join(sorted(alike | _NEUTRAL))
        yield " ".join(modifiers), rf"(?i)(?<![\w-])(?:{short}[\s-]+(?:{nouns})\b|(?<=the ){short}{_ENDS_THERE})"
    elif len(modifiers) == 1 and modifiers[0].isalpha() and not joint:
        yield noun, rf"(?i)(?<=the ){re.escape(noun)}{_ENDS_THERE}"


def _spaced(words: str) -> str:
    """Return the pattern of words with hyphens or articles between them."""
    return r"[\s-]+(?:(?:the|a|an)\s+)?".join(map(re.escape, words.split()))


def sentence_words(sentence: str, keys: Sequence[str]) -> str:
    """Return a sentence as words and marks, one space apart; longer options hide the shorter ones inside them.

    ``sentence`` may hold private characters of letters already.
    """
    words = _POSSESSIVE.sub(" s", sentence.casefold())
    text = " ".join(_TOKEN.findall(words))
    text = f" {' '.join(_ARTICLES.sub(' ', text).replace(chr(39), '').split())} "
    for place in sorted(range(len(keys)), key=lambda place: (-len(keys[place]), place)):
        if keys[place]:
            pattern = r"(?: [,:;.\"()-])* ".join(map(re.escape, keys[place].split()))
            text = re.sub(rf"(?<= ){pattern}(?= )", chr(TEXT + place), text)
    return text.strip()


def without_punctuation(words: str) -> str:
    """Return the words of a sentence alone; a mark after an option, which ends what is said of it, becomes a tilde."""
    ended = re.sub(rf"({MENTION})(?: [,:;(-])(?= )", r"\1 ~", f" {words} ")
    return " ".join(_PUNCTUATION.sub(" ", ended).split())


def without_double_denials(words: str) -> str:
    """Return the words without "no doubt" and its like, which claim."""
    return _CLAIMS.sub("", words)


def mentions_in(words: str) -> list[Mention]:
    """Return the options that a sentence of words names, in order."""
    result = []
    for match in re.finditer(MENTION, words):
        code = ord(match[0])
        place, letter = (-1, code - LETTER) if code >= LETTER else (code - TEXT, -1)
        before = words[max(0, match.start() - NEAR) : match.start()].strip()
        after = words[match.end() : match.end() + NEAR].strip()
        result.append(Mention(place, letter, before, after, words.endswith("?")))
    return result
