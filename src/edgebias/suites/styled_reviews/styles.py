"""The styles in which a sentence is written again: word by word, from tables written here.

DecodingTrust's ``shake_w`` replaces words, too; its other styles are paraphrases by a model (``ood/style.json``). No
table holds a word of sentiment or a negation, so that the verdict of a sentence stays in it word for word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from edgebias.suites.review_sentences import hashed

_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?")
_ENDING = re.compile(r"[.!]+$")
# A sentence that begins so goes on in small letters behind an opening; any other first word may be a name.
_BEGINNINGS = (
    "the a an it it's this that these those there in as for with if at while when but and by what who of on to one "
    "though although you you're even not has is no some any every"
)
_FIRST_WORDS = frozenset(_BEGINNINGS.split())

_VERBS = {
    "has": "hath",
    "does": "doth",
    "says": "saith",
    "makes": "maketh",
    "takes": "taketh",
    "gives": "giveth",
    "comes": "cometh",
    "goes": "goeth",
    "gets": "getteth",
    "seems": "seemeth",
    "feels": "feeleth",
    "keeps": "keepeth",
    "finds": "findeth",
    "tells": "telleth",
    "knows": "knoweth",
    "becomes": "becometh",
    "remains": "remaineth",
    "manages": "manageth",
}
"""Forms that are hardly ever nouns: "plays", "turns" and "looks" are not among them."""

EARLY_MODERN_WORDS: Mapping[str, str] = _VERBS | {
    "you": "thou",
    "your": "thy",
    "yours": "thine",
    "yourself": "thyself",
    "you are": "thou art",
    "you're": "thou art",
    "you have": "thou hast",
    "you've": "thou hast",
    "you will": "thou wilt",
    "you'll": "thou wilt",
    "you can": "thou canst",
    "you do": "thou dost",
    "you would": "thou wouldst",
    "it's": "'tis",
    "it is": "'tis",
    "in the": "i' th'",
    "of the": "o' th'",
    "on the": "o' th'",
    "to the": "to th'",
    "by the": "by th'",
    "with the": "wi' th'",
    "for the": "for th'",
    "on": "upon",
    "also": "eke",
    "actor": "player",
    "actors": "players",
    "story": "tale",
    "stories": "tales",
    "girl": "maiden",
    "girls": "maidens",
    "before": "ere",
    "often": "oft",
    "over": "o'er",
    "between": "'twixt",
    "among": "'mongst",
    "perhaps": "perchance",
    "maybe": "perchance",
    "why": "wherefore",
    "while": "whilst",
    "until": "till",
    "ever": "e'er",
    "anything": "aught",
    "said": "quoth",
    "think": "trow",
}
EARLY_MODERN_OPENINGS = ("Forsooth,", "In sooth,", "Mark thee,", "I say to thee,", "Hark,")

BIBLICAL_WORDS: Mapping[str, str] = _VERBS | {
    "you": "ye",
    "your": "thy",
    "you're": "ye are",
    "you'll": "ye shall",
    "you've": "ye have",
    "who": "which",
    "will": "shall",
    "to the": "unto the",
    "to a": "unto a",
    "to its": "unto its",
    "to his": "unto his",
    "to her": "unto her",
    "to their": "unto their",
    "to us": "unto us",
    "from the": "out of the",
    "this": "this same",
    "as": "even as",
    "on": "upon",
    "about": "concerning",
    "because": "for",
    "also": "likewise",
    "often": "oftentimes",
    "between": "betwixt",
    "among": "amongst",
    "while": "whilst",
    "though": "albeit",
    "although": "albeit",
    "perhaps": "peradventure",
    "maybe": "peradventure",
    "everyone": "every man",
    "anyone": "any man",
    "kids": "babes",
    "children": "babes",
    "audience": "congregation",
    "audiences": "congregations",
    "story": "parable",
    "stories": "parables",
    "now": "in these days",
    "here": "in this place",
    "toward": "unto",
    "towards": "unto",
}
BIBLICAL_OPENINGS = ("And lo,", "Behold,", "And it came to pass that", "Verily I say unto thee,", "And it is written:")

TWEET_WORDS: Mapping[str, str] = {
    "you": "u",
    "your": "ur",
    "you're": "ur",
    "are": "r",
    "be": "b",
    "and": "&",
    "with": "w/",
    "to": "2",
    "too": "2",
    "for": "4",
    "at": "@",
    "why": "y",
    "one": "1",
    "two": "2",
    "three": "3",
    "first": "1st",
    "second": "2nd",
    "hours": "hrs",
    "minutes": "mins",
    "years": "yrs",
    "year": "yr",
    "it's": "its",
    "that's": "thats",
    "because": "bc",
    "people": "ppl",
    "before": "b4",
    "about": "abt",
    "between": "btwn",
    "through": "thru",
    "though": "tho",
    "something": "smth",
    "someone": "some1",
    "going to": "gonna",
    "trying to": "tryna",
    "probably": "prolly",
    "director": "dir",
    "performance": "perf",
    "performances": "perfs",
    "characters": "chars",
    "documentary": "docu",
}
TWEET_TAGS = ("#movies", "#film", "#nowwatching", "#cinema", "#moviereview")


def early_modern(text: str) -> str:
    """Rewrite in the words of Shakespeare's time, behind an opening."""
    return _opened(_replaced(text, EARLY_MODERN_WORDS), EARLY_MODERN_OPENINGS, text)


def biblical(text: str) -> str:
    """Rewrite in the words of the King James Bible, behind an opening."""
    return _opened(_replaced(text, BIBLICAL_WORDS), BIBLICAL_OPENINGS, text)


def tweet(text: str) -> str:
    """Rewrite in the abbreviations of short messages, in small letters, before a hashtag."""
    return f"{_ENDING.sub('', _replaced(text, TWEET_WORDS).lower())} {_one_of(TWEET_TAGS, text)}"


STYLES: Mapping[str, Callable[[str], str]] = {"early_modern": early_modern, "tweet": tweet, "biblical": biblical}
"""The rewriting of each style; every one changes every sentence."""


def _replaced(text: str, words: Mapping[str, str]) -> str:
    """Replace words, and pairs of words before single ones; a large letter inside the text is that of a name."""
    pairs = "|".join(map(re.escape, sorted((key for key in words if " " in key), reverse=True)))
    pattern = rf"\b(?:{pairs})\b|{_WORD.pattern}" if pairs else _WORD.pattern

    def new(match: re.Match[str]) -> str:
        old = match.group()
        found = words.get(old.lower(), old)
        if not old[0].isupper():
            return found
        return _capital(found) if match.start() == 0 else old

    return re.sub(pattern, new, text, flags=re.IGNORECASE)


def _capital(word: str) -> str:
    place = next((index for index, letter in enumerate(word) if letter.isalpha()), 0)
    return word[:place] + word[place].upper() + word[place + 1 :]


def _opened(text: str, openings: Sequence[str], key: str) -> str:
    first, space, rest = text.partition(" ")
    if key.split()[0].lower() in _FIRST_WORDS:
        first = first.lower()
    return f"{_one_of(openings, key)} {first}{space}{rest}"


def _one_of(choices: Sequence[str], key: str) -> str:
    return choices[hashed(key, choices[0]) % len(choices)]
