"""The letters that a reply gives as its answer, and where in it they stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgebias.infer.outcome.shapes import only_letter, says
from edgebias.infer.outcome.words import key_of
from edgebias.suites.formats import LETTERS

_ALONE = r"(?<![A-Za-z0-9'])"
"""What a letter must not follow; it may follow a letter of a script that has no spaces."""

_LEAD_IN = re.compile(
    r"""\b(?:(?i:(?:answer|ans|option|choice|letter|response|output|selected|selection|correct)(?:\s+(?:is|would\s+be|must\s+be|should\s+be|was))?
              |(?:choose|pick|select|think|say|go(?:ing)?\s+with|it\s+is|it's|chose))\b)
        \s*[:=-]*>?\s*(?i:(?:the\s+)?(?:option|letter|answer|choice)\s*:?\s+)?
        (?P<open>[("'\[<{]*)(?P<letter>[A-Za-z])(?P<close>[)"'\]>}]?)(?![\w'])(?P<after>\s*[.,:;!]|\s*$|\s*\n)?""",
    re.VERBOSE,
)
_ELSEWHERE = re.compile(
    r"""(?:(?<![^\W\d_])(?i:respuesta|opci[oó]n|elijo|escojo|selecciono|r[ée]ponse|choisis|choix|antwort|w[äa]hle|lautet|resposta|alternativa
            |op[çc][ãa]o|escolho|risposta|opzione|scelgo|scelta|ответ|вариант|выбираю|буква|الإجابة|الجواب|الخيار|أختار|الاختيار)
        |答案|选项|选择|故选|应选|应该选|我选|选|答|정답|답|答え|正解|正答|回答|解答)
        (?:\s|[:：=—–-]|是|应该|为|為|选项|选|은|는|이|가|は|が|هي|هو
            |(?i:\b(?:es|est|ist|é|è|la|le|el|lo|a|o|die|der|das|correct[ao]?|corrette?|correcte|richtige?|letra|lettre|lettera|option|opci[oó]n
            |op[çc][ãa]o|opzione|bonne|number|буква|вариант)\b|l'))*
        [("'\[<]*(?P<letter>[A-Z])(?![A-Za-z0-9'])""",
    re.VERBOSE,
)
_IS_THE = re.compile(
    r"""(?<![^\W\d_])(?:es|c'est|est|é|è|ist)\s+(?:la|le|a|die|l'|option"
    r"|opción)\s*["'(]?(?P<letter>[A-Z])(?=["')]?\s*(?:[.,;!]|\Z|\n))""",
    re.IGNORECASE,
)
_SUFFIXED = re.compile(
    r"(?<![A-Za-z0-9'])(?P<letter>[A-Z])[)\]\"']?\s*(?:选项|入|입니다|이다|예요|이에요|[가이]\s?(?:정답|답|맞)|[을를]\s?(?:선택|고르)|번|です"
    r"|だと思|が正|を選|是正确|正确|是对)"
)
_AFFIRMED = re.compile(
    r"""(?<![\w'])["'(\[]?(?P<letter>[A-Z])["')\]]?\s+(?:is|was|would\s+be|must\s+be|should\s+be|ist|es|est)\s+
        (?:(?:the|a|our|my|la)\s+)?(?:correct[ao]?|right|true|best|final|answer|choice|richtig|(?:more|most)\s+likely)\b""",
    re.VERBOSE,
)
_DRAWN = re.compile(
    r"(?:\b(?:so|therefore|thus|hence|yes|sure|certainly|ok|okay|of course|absolutely|definitely"
    r"|great)\b[,.!:]*\s+(?:it's\s+|it\s+is\s+)?|\u2192\s*|=>\s*|->\s*)"
    r"[(\"']?(?P<letter>[A-Z])(?=[)\"']?\s*(?:[.!;,]|\Z|\n))",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"""(?<![\w'])(?:
        [(\[<{](?P<enclosed>[A-Za-z])[)\]>}]
        |["'](?P<quoted>[A-Z])["']
        |(?P<marked>[A-Za-z])(?=\s?[):\]]|\.(?!\w))
        |(?<!(?i:vitamin)\s)(?<!(?i:plan)\s)(?<!(?i:group)\s)(?<!(?i:grade)\s)(?<!(?i:team)\s)(?<!(?i:class)\s)(?<!(?i:type)\s)(?<!(?i:hepatitis)\s)
            (?P<bare>[B-HJ-Z])(?=\s*[.,;!?\u3002]*\s*(?:\Z|\n))
        |(?<=[a-z\u00e0-\u00ff\u0400-\u04ff,:]\s)(?<!(?i:vitamin)\s)(?<!(?i:plan)\s)(?<!(?i:group)\s)(?<!(?i:grade)\s)(?<!(?i:team)\s)(?<!(?i:class)\s)(?<!(?i:type)\s)(?<!(?i:hepatitis)\s)
            (?P<last>A)(?=\s*[.!]?\s*(?:\Z|\n))
        |(?P<paired>A)(?=\s*(?:,|/|&|\||\+|\bor\b|\band\b)\s*\(?[B-Z](?![\w']))
    )""",
    re.VERBOSE,
)
_FIRST = re.compile(r"\A[^\w]*(?P<letter>[A-Za-z])(?=[^\w']*\Z|\s*[)>:\].,;!\u3001\u3002\u2014-]|\s+\(\d|[ \t]*\n)")
_OWN_LINE = re.compile(r"\A[^\w\n]*(?P<letter>[A-Z])[^\w\n]*\n")
"""A letter that is the whole first line: the answer, whatever is written below it."""
_FIRST_BARE = re.compile(r"\A[^\w]*(?P<letter>[B-HJ-Z])\s+\w")
_BEFORE_TEXT = re.compile(r"(?<![\w'])(?P<letter>[A-Z])(?=[\s\"'=:.)\]({-]+(?P<rest>\S.*))", re.DOTALL)
_RUN = re.compile(
    r"""(?<![\w'])\(?[A-Z][)\]]?(?:(?:[\s,|/;&+()\[\].:\u3001-]|\(\d+\)|\b(?:or|and|to|oder|und|ou|et|o|y|e)\b
        |[或和跟]|또는|или|أو)+
        \(?[A-Z](?![\w'])(?!\s+[a-z])[)\]]?)+""",
    re.VERBOSE,
)
_SPOKEN_OF = re.compile(r"(?<![\w'])[A-Z](?![\w'])")
_ARTICLE_FOLLOWS = re.compile(
    r"\s+(?!(?:because|since|as|for|or|and|but|not|is|due|was|over|rather|instead|by|cannot|ist|est|would)\b)[a-z]"
)
"""After a bare "A": the word of which it is the article ("answer: A train")."""
_ALTERNATIVE = re.compile(
    r"\A[)\]\"']?\s*(?:,|/|&|\||\+|\bor\b|\band\b|\bto\b|\boder\b|\bund\b|\bou\b|[或和])\s*(?:(?i:option"
    r"|letter)\s+)?\(?(?P<letter>[A-Z])(?![\w'])"
)


@dataclass(frozen=True)
class LetterMention:
    """A letter that stands for an option, and where it stands.

    Attributes:
        letter: in upper case.
        start: where it stands in the text.
        announced: whether words announce it as the answer.
        given: whether it stands as an answer at all; else an explanation only speaks of it.
    """

    letter: str
    start: int
    announced: bool = False
    given: bool = True

    @property
    def end(self) -> int:
        """Where the text goes on after it."""
        return self.start + 1


def named_letters(plain: str, keys: Sequence[str], permutation: Sequence[int]) -> list[LetterMention]:
    """Return the letters that a text gives, in order: as announced answers, as labels, in a row."""
    alone = only_letter(plain)
    if alone:
        start = next(place for place, character in enumerate(plain) if character.upper() == alone)
        return [LetterMention(alone, start, True)]
    shown = LETTERS[: len(keys)]
    found: dict[int, LetterMention] = {}

    def add(letter: str, start: int, *, announced: bool) -> None:
        if start not in found or (announced and not found[start].announced):
            found[start] = LetterMention(letter.upper(), start, announced)

    for match in _LEAD_IN.finditer(plain):
        letter = match["letter"]
        # "answer a question" and "the answer I gave" announce nothing: those need brackets or an end after them.
        marked = bool(match["open"] or match["close"]) or match["after"] is not None
        if letter in "Aa" and not marked and _ARTICLE_FOLLOWS.match(plain, match.end()):
            continue
        if (letter.isupper() and letter != "I") or marked:
            add(letter, match.start("letter"), announced=True)
    for pattern in (_ELSEWHERE, _IS_THE, _SUFFIXED, _AFFIRMED, _DRAWN):
        for match in pattern.finditer(plain):
            if match["letter"].isupper() and match["letter"] != "I" and not _is_article(plain, match.end("letter")):
                add(match["letter"], match.start("letter"), announced=True)
    own_line = _OWN_LINE.match(plain)
    if own_line:
        add(own_line["letter"], own_line.start("letter"), announced=True)
    for run in _RUN.finditer(plain):
        letters = [match for match in re.finditer(r"(?<![\w'])[A-Z](?![\w'])", run[0]) if match[0] in shown]
        if len({match[0] for match in letters}) > 1 and not _is_article(plain, run.end()):
            starts = [run.start() + match.start() for match in letters]
            announced = any(start in found for start in starts)
            for match, start in zip(letters, starts, strict=True):
                add(match[0], start, announced=announced)
    first = _FIRST.match(plain)
    if first and not (first["letter"].islower() and not _ends_or_closes(plain, first.end("letter"))):
        add(first["letter"], first.start("letter"), announced=False)
    bare = _FIRST_BARE.match(plain)
    if bare:
        add(bare["letter"], bare.start("letter"), announced=False)
    for match in _BEFORE_TEXT.finditer(plain):
        if match["letter"] in shown:
            key = keys[permutation[shown.index(match["letter"])]]
            if _begins_with(match["rest"], key):
                add(match["letter"], match.start("letter"), announced=False)
    for match in _LABEL.finditer(plain):
        group = match.lastgroup or ""
        if own_line and group == "marked" and _labels_other_text(plain, match, keys, permutation):
            continue
        if group == "enclosed" or match[group].isupper():
            add(match[group], match.start(group), announced=False)
    for mention in list(found.values()):
        other = _ALTERNATIVE.match(plain[mention.end :])
        if other:
            add(other["letter"], mention.end + other.start("letter"), announced=mention.announced)
    for match in _SPOKEN_OF.finditer(plain):
        if match[0] in shown and match.start() not in found and not _is_article(plain, match.end()):
            found[match.start()] = LetterMention(match[0], match.start(), given=False)
    return [found[start] for start in sorted(found)]


def _is_article(plain: str, end: int) -> bool:
    return plain[end - 1] == "A" and _ARTICLE_FOLLOWS.match(plain, end) is not None


def _labels_other_text(plain: str, label: re.Match[str], keys: Sequence[str], permutation: Sequence[int]) -> bool:
    """Return whether a label heads a line of text that is not its option: a list of the model's own."""
    letter, rest = label["marked"], plain[label.end() :].lstrip("):].").split("\n", 1)[0]
    shown = LETTERS[: len(keys)]
    head = not plain[: label.start()].rsplit("\n", 1)[-1].strip()
    return head and letter in shown and says(rest) and not _begins_with(rest, keys[permutation[shown.index(letter)]])


def _ends_or_closes(plain: str, end: int) -> bool:
    rest = plain[end:].lstrip()
    return not says(rest) or rest[0] in ").:]"


def _begins_with(rest: str, key: str) -> bool:
    """Return whether a text begins with an option, or is the beginning of it."""
    words = key_of(rest)
    return bool(words) and bool(key) and (words == key or words.startswith(key + " ") or is_begun(words, key))


def is_begun(text: str, key: str) -> bool:
    """Return whether ``text`` is the first half or more of ``key``, cut anywhere."""
    return key.startswith(text) and 2 * len(text) >= len(key)


def contradicted(plain: str, mention: LetterMention, place: int, keys: Sequence[str]) -> bool:
    """Return whether the text of another option stands right beside a letter, and not that of its own."""
    beside, _, below = plain[mention.end :].partition("\n")
    if not says(beside):
        # A sentence on a line of its own explains; an option alone on it is a second answer.
        beside = below.split("\n", 1)[0]
        beside = beside if key_of(beside) in keys else ""
    line = plain[: mention.start].rsplit("\n", 1)[-1]
    before = f" {key_of(line)}"
    own = keys[place]
    if _begins_with(beside, own) or (own and before.endswith(f" {own}")):
        return False
    others = [key for other, key in enumerate(keys) if other != place and key]
    return any(_begins_with(beside, key) or before.endswith(f" {key}") for key in others)
