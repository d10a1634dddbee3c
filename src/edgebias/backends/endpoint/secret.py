"""A key, and every form of it that a text may hold."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

HIDDEN = "***"

RUN = 12
"""Shortest part of a key that is hidden, in characters; a dump breaks a key into lines of 16."""

_ESCAPE = re.compile(
    r"""\\+ (?: [ux]\{ (?P<braces>[0-9a-f]{1,6}) \} | u(?P<json>[0-9a-f]{4}) | U(?P<python>[0-9a-f]{8})
              | x(?P<byte>[0-9a-f]{2}) | (?P<octal>[0-3][0-7]{2}) | (?P<space>[nrt]) | (?P<itself>[^\w\s]) )
        | %(?:25)* (?: u(?P<wide>[0-9a-f]{4}) | (?P<percent>[0-9a-f]{2}) )
        | &(?:amp;)* (?: (?P<number>\#\d{1,7} | \#x[0-9a-f]{1,6});? | (?P<entity>amp | lt | gt | quot | apos); )
        | \x1b\[ (?P<colour>[\d;]*) m """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_NOTHING = re.compile("(?!)")
_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
"""Unlike ``str.lower``, it never changes the number of characters."""

_WRITTEN: dict[int, int | None] = {**_LOWER, **dict.fromkeys(map(ord, " \t\n\r\v\f"))}
"""Leaves out white space."""

_LISTED: dict[int, int | None] = {**_WRITTEN, **dict.fromkeys(map(ord, "-:,;=_+|.xX"))}
"""Leaves out what stands between the numbers of a dump."""

_BARE: dict[int, int | None] = (
    dict.fromkeys(
        [code for code in range(128) if not chr(code).isalnum()] + [0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF]
    )
    | _LOWER
)
"""Leaves out all but letters and digits: what stands between the characters of a list, or the pieces of a text."""

_MASK = re.compile(r"\*{2,}|\.{3,}|[•●…▪■█]+|x{4,}|X{4,}")
"""What a service writes in the middle of a key that it shows the ends of: "sk-abc***wxyz"."""

LEAST_OF_MASKED = 3
"""Fewest characters beside a mask that are taken for those of a key."""


class Secret:
    """A key that can be sent and never be shown.

    Args:
        value: the key, of visible ASCII characters.
        public: whether it is none, because the endpoint needs no key; then nothing is hidden.
    """

    def __init__(self, value: str, *, public: bool = False) -> None:
        self._value = value
        self._written: tuple[_Form, ...] = ()
        self._listed: tuple[_Form, ...] = ()
        self._bare: tuple[_Form, ...] = ()
        if not public:
            data = value.encode()
            plain = {value.translate(_WRITTEN), _ESCAPE.sub(_meant, value).translate(_WRITTEN)}
            wide = [value.encode(encoding) for encoding in ("utf-16-le", "utf-16-be")]
            inner = [piece for bytes_ in (data, *wide) for piece in _base64_of(bytes_)]
            twice = [piece for one in _base64_of(data, lower=False) for piece in _base64_of(one.encode())]
            self._written = (*(_Form.of(form, RUN) for form in plain), *map(_Form.of, dict.fromkeys(inner + twice)))
            self._listed = tuple(
                _Form.of("".join(number.format(byte) for byte in data), 2 * RUN)
                for number in ("{:02x}", "0{:02x}", "{:02x}00", "{:d}", "{:03o}")
            )
            bare = {form.translate(_BARE) for form in plain}
            self._bare = tuple(_Form.of(form, RUN) for form in bare if len(form) >= RUN)

    def authorization(self) -> str:
        """Return the value of the header that carries the key."""
        return f"Bearer {self._value}"

    def stands_in(self, text: str) -> bool:
        """Return whether `hide` would change ``text``."""
        return self.hide(text) != text

    def hide(self, text: str) -> str:
        """Return ``text`` without any form of the key.

        Forms are the key as it is; with characters escaped as Python, JSON, C, a URL or HTML escapes them, once or
        several times; broken by white space or anything else that is no letter or digit; its bytes in hexadecimal,
        octal or decimal numbers; its base64, of UTF-16 or twice too, also as a part of a longer text ("Bearer KEY",
        "user:KEY"). Case does not matter, and a part of `RUN` characters is enough. Where a service hides the middle
        of the key itself, what it shows of the ends goes too.
        """
        if not self._written:
            return text
        text = text.replace(self._value, HIDDEN)
        for escapes, shortened, forms in (
            (_ESCAPE, _WRITTEN, self._written),
            (_ESCAPE, _LISTED, self._listed),
            (_ESCAPE, _BARE, self._bare),
            (_NOTHING, _WRITTEN, self._written),  # what looks like an escape may be the key's own
        ):
            plain = escapes.sub(_meant, text).translate(shortened)
            present = [form for form in forms if form.may_stand_in(plain)]
            if present:
                places = _places(text, escapes, shortened)
                runs = sorted(run for form in present for run in form.runs(plain))
                text = _without(text, [(places[first][0], places[last][1]) for first, last in runs])
        return self._without_ends(text)

    def _without_ends(self, text: str) -> str:
        """Hide the ends of the key beside what hides its middle."""
        key, spans = self._value, list[tuple[int, int]]()
        for mask in _MASK.finditer(text):
            first, last = mask.span()
            before, after = text[max(0, first - len(key)) : first], text[last : last + len(key)]
            head = next((size for size in range(len(before), 0, -1) if key.startswith(before[-size:])), 0)
            tail = next((size for size in range(len(after), 0, -1) if key.endswith(after[:size])), 0)
            if text[first - head - 1 : first - head] == "\\":  # half of an escape
                head = 0
            if head + tail >= LEAST_OF_MASKED:
                spans.append((first - head, last + tail))
        return _without(text, spans)

    def __repr__(self) -> str:
        return "Secret()"


@dataclass(frozen=True)
class _Form:
    """One way to write a key: all its parts of ``width`` characters, and ``blocks`` of which each part holds one."""

    width: int
    parts: frozenset[str] = field(repr=False)
    blocks: tuple[str, ...] = field(repr=False)

    @staticmethod
    def of(form: str, run: int = 4 * RUN // 3) -> _Form:
        width = min(run, len(form))
        size = (width + 1) // 2
        return _Form(
            width,
            frozenset(form[start : start + width] for start in range(len(form) - width + 1)) - {""},
            tuple(form[start : start + size] for start in range(0, len(form) - size + 1, size or 1)),
        )

    def may_stand_in(self, text: str) -> bool:
        """Look for the blocks alone: much faster than `runs`, and no for nearly every text."""
        return any(block in text for block in self.blocks)

    def runs(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the first and the last place of each part in ``text``; parts may overlap."""
        for start in range(len(text) - self.width + 1):
            if text[start : start + self.width] in self.parts:
                yield start, start + self.width - 1


def _meant(escape: re.Match[str]) -> str:
    """Return the character that an escape stands for; nothing where that is white space."""
    name, written = escape.lastgroup, escape[escape.lastgroup or 0]
    if name == "colour":
        return ""
    if name in {"itself", "space"}:
        return written if name == "itself" else ""
    if name in {"entity", "number"}:
        return unescape(f"&{written.lower()};")
    code = int(written, 8 if name == "octal" else 16)
    return chr(code) if code < 0x110000 else ""


def _places(text: str, escapes: re.Pattern[str], shortened: dict[int, int | None]) -> list[tuple[int, int]]:
    """Return where in ``text`` each character of its plain form began and ended."""
    places: list[tuple[int, int]] = []
    done = 0
    for escape in [*escapes.finditer(text), None]:
        until = len(text) if escape is None else escape.start()
        places += ((place, place + 1) for place in range(done, until) if text[place].translate(shortened))
        if escape is not None:
            places += [escape.span()] * len(_meant(escape).translate(shortened))
            done = escape.end()
    return places


def _base64_of(data: bytes, *, lower: bool = True) -> Iterator[str]:
    """Yield what is the same of ``data`` in base64 whatever stands before and after it, in both alphabets."""
    for before in range(3):
        whole = base64.b64encode(bytes(before) + data + bytes(3)).decode()
        inner = whole[(8 * before + 5) // 6 : 8 * (before + len(data)) // 6]
        inner = inner.translate(_LOWER) if lower else inner
        yield inner
        yield inner.translate(str.maketrans("+/", "-_"))


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    place = 0
    for start, end in spans:
        if start >= place:
            parts += (text[place:start], HIDDEN)
        place = max(place, end)
    return "".join([*parts, text[place:]])
