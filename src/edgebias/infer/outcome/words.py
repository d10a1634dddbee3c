"""A sentence as words that rules can be written on, with one private character for each option that it names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial

TEXT, LETTER, LAST = 0xE000, 0xE100, 0xF8FF
"""The private characters that stand for options named by their text, and from the second number on for letters."""

MENTION = f"[{chr(TEXT)}-{chr(LAST)}]"
"""Pattern of any of them."""

NAMED = f"[{chr(TEXT)}-{chr(LETTER - 1)}]"
"""Pattern of those named by their text."""

NEAR = 240
"""How far from an option the words that say something of it may stand: a sentence of a model has no end of its own."""

_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "`": "", "*": "", "_": " "})
_ARTICLES = re.compile(r"\b(?:the|a|an)\b")
_NOT_WORD = re.compile(r"[^\w']+")
_POSSESSIVE = re.compile(r"(?<=[\w\ue000-\uf8ff])'s\b")
_TOKEN = re.compile(rf"{MENTION}|[\w']+|[,:;?!.()\"/|&-]")
_PUNCTUATION = re.compile(r" [,:;!.()\"/|&-](?= )")

_CURRENCY = "$\u20ac\u00a3"
_MINUS = "[-\u2212\u2013\u2014]"
_NEGATIVE = re.compile(rf"\s*{_MINUS}\s?[{_CURRENCY}]?[\d.]")
_SIGN = re.compile(
    rf"^\s*{_MINUS}\s+|(?P<minus>{_MINUS}(?=\s?(?:[\d.({_CURRENCY}\\]|[^\W\d_]\b)))|(?P<sign>[^\w\s])", re.MULTILINE
)
"""The dash of a list, a minus before a number, a variable or a bracket, and any other sign."""

_NEUTRAL = frozenset({"person", "individual", "one", "friend", "worker"})
_NOUNS = (frozenset({"man", "guy", "male", "gentleman"}), frozenset({"woman", "lady", "female"}), _NEUTRAL)
_ANYONE = ("one", "person", "man", "woman")
_IS = re.compile(r"(?:s|is|was) (?P<said>(?:(?P<place>on|in|at|from|with|under|of) )?.+)")
"""After "who": what somebody is, or where."""
_PREPOSITIONS = frozenset({"on", "in", "at", "from", "with", "without", "of", "under"})
_NAMED = re.compile(r"(?P<first>[A-Z][\w'-]+) (?P<last>[A-Z][\w'-]+)(?P<more>, .+)?")
_ALSO_CALLED = {
    "physician": ("doctor",),
    "lawyer": ("attorney",),
    "attorney": ("lawyer",),
    "salesperson": ("salesman", "saleswoman"),
    "laborer": ("labourer",),
    "counselor": ("counsellor",),
    "firefighter": ("fireman",),
    "police officer": ("policeman", "policewoman"),
}
"""Other words for the occupations of WinoBias and Winogender, and their British spelling."""
_TITLE = r"(?:\b(?:Mr|Mrs|Ms|Miss|Dr)\b\.? +)?"
_ALIKE = 0.45
"""How alike the rest of a name must be to be a misspelling: "Katherine" for "Kathleen" is 0.7, "Omar" for "Ali" 0.3."""
_NO_NAME = (
    r"(?:A|An|And|Are|As|At|Both|But|By|Can|Did|Does|For|From|Had|Has|He|His|Her|How|However|If|In|Is|It|Neither|Nor"
    r"|Not|No|Of|On|Or|Only|She|So|Then|The|They|This|That|To|Unlike|Was|Were|What|When|Where|Which|While|Who|Whose|Why"
    r"|Will|With|Would|Yes)"
)
"""Words with a capital that are no part of a name, beside one."""
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


def differ_in_signs(options: Sequence[str]) -> bool:
    """Return whether signs tell options apart, as in "3" and "-3"; words alone would not."""
    return len({key_of(option) for option in options}) < len(options) or any(map(_NEGATIVE.match, options))


def signs_in_words(text: str) -> str:
    """Return a text with its signs in words, "-3" as "minus 3"; hyphens and the dashes of lists are left."""
    return _SIGN.sub(_sign_in_words, text)


def _sign_in_words(match: re.Match[str]) -> str:
    if match["minus"]:
        return " minus "
    sign = match["sign"]
    if not sign or unicodedata.category(sign) != "Sm":
        return match[0]
    return " plus " if sign == "+" else f" {unicodedata.name(sign).casefold()} "


def spelled_out(plain: str, options: Sequence[str], people: Sequence[int]) -> str:
    """Return a text with what can only mean one option in that option's words: "Khalid" for "Khalid Ali", "the Muslim"
    or "the Muslim lady" for "the Muslim woman", "the one who drives" for "the woman who drives".

    ``people`` are the places of options that name somebody.
    """
    keys = [key_of(option) for option in options]
    said = f" {key_of(plain)} "
    for place in people:
        others = [key for key in keys if key != keys[place]]
        for own, pattern, rest in _short_forms(options[place].strip(), keys[place]):
            if f" {own} " in said and not any(f" {own} " in f" {other} " for other in others):
                plain = re.sub(pattern, partial(_named, key=keys[place], rest=rest), plain)
    return plain


def _named(match: re.Match[str], *, key: str, rest: str) -> str:
    """Return the option in words, or what was written where half of its name stands beside that of a stranger."""
    other = match.groupdict().get("other")
    return match[0] if other and SequenceMatcher(None, other.casefold(), rest.casefold()).ratio() < _ALIKE else key


def _short_forms(option: str, key: str) -> Iterator[tuple[str, str, str]]:
    """Yield words that are an option's own, the pattern of the short form that has them, and the rest of a name.

    A group ``other`` is the name beside a first name or surname: the rest of the option's, well or badly spelled, or
    that of a stranger.
    """
    name = _NAMED.fullmatch(option)
    if name:
        first, last = re.escape(name["first"]), re.escape(name["last"])
        beside = rf"(?P<other>(?!{_NO_NAME}\b)[A-Z][\w'-]+)"
        whole = f"(?!{re.escape(name['more'])})" if name["more"] else ""
        yield key_of(name["first"]), rf"{_TITLE}\b{first}\b(?: +{beside})?{whole}", name["last"]
        yield key_of(name["last"]), rf"{_TITLE}(?:\b{beside} +)?(?<![\w'-]){last}\b(?! +[A-Z]){whole}", name["first"]
        return
    for word in _ALSO_CALLED.get(key, ()):
        yield word, rf"(?i)\b{word}\b", ""
    parts = _CLAUSE.fullmatch(key)
    core, joint, clause = parts.group("core", "joint", "clause") if parts else ("", None, None)
    if joint and core in _ANYONE:
        anyone = f"(?:{'|'.join(_ANYONE)})"
        yield f"{joint} {clause}", rf"(?i)\b{anyone}\s+{_spaced(f'{joint} {clause}')}\b", ""
        said = _IS.fullmatch(clause or "") if joint == "who" else None
        if said and said["place"]:
            yield said["said"], rf"(?i)\b{anyone}\s+{_spaced(said['said'])}\b", ""
        elif said:
            yield said["said"], rf"(?i)(?<=\bthe ){_spaced(said['said'])}(?:[\s-]+{anyone}\b|{_ENDS_THERE})", ""
    elif joint:
        yield core, rf"(?i)\b{_spaced(core)}\b(?!,?[\s-]+{joint})", ""
    *modifiers, noun = core.split() or [""]
    alike = next((nouns for nouns in _NOUNS if noun in nouns), None)
    if alike and modifiers and not joint:
        short, nouns = _spaced(" ".join(modifiers)), "|".join(sorted(alike | _NEUTRAL))
        yield " ".join(modifiers), rf"(?i)(?<![\w-])(?:{short}[\s-]+(?:{nouns})\b|(?<=the ){short}{_ENDS_THERE})", ""
    elif len(modifiers) == 1 and modifiers[0].isalpha() and not joint:
        yield noun, rf"(?i)(?<=the ){re.escape(noun)}{_ENDS_THERE}", ""


def _spaced(words: str) -> str:
    """Return the pattern of words with hyphens or articles between them."""
    return r"(?:[\s-]+|')(?:(?:the|a|an)\s+)?".join(map(re.escape, words.split()))


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
