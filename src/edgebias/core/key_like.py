"""What looks like a key of a service, in a parameter file where none belongs: no message repeats it."""

from __future__ import annotations

import re

HIDDEN = "***"

_KEY = re.compile(
    r"""(?<![A-Za-z0-9])
        (?: (?:sk|pk|rk|ak|gsk|xai|hf|api|ghp|gho|ghs|glpat|nvapi|pplx|csk|fw|tgp|r8|key) [-_] (?=[\w-]*\d) [\w-]{8,}
          | (?:AIza|AKIA|ASIA|ya29|eyJ) [\w.-]{12,}
          | (?=[a-z]*\d) (?=\d*[a-z]) [a-z\d]{24,} )""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_BEARER = re.compile(r"(?<=\bBearer )\s*[^\s'\"]+", re.IGNORECASE)
_USER = re.compile(r"(?<=//)[^/@\s'\"]+(?=@)")


def without_keys(text: str) -> str:
    """Return ``text`` without what looks like a key: a known beginning, a long word with digits, the user of a URL."""
    for form in (_USER, _BEARER, _KEY):
        text = form.sub(HIDDEN, text)
    return text
