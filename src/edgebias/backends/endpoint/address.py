"""Where an endpoint is, and which variable has its key: refused without showing what may be the key itself."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from edgebias.core.errors import InputError

LOOPBACK = "loopback"
"""Stands in the place of a base URL for a server of our own on this machine."""

PATH = "/chat/completions"
"""What requests add to a base URL."""


_NAME = re.compile(
    r"[A-Z][A-Z0-9]{0,15}(?:_[A-Z0-9]{1,15})*|[a-z]{1,15}(?:_[a-z0-9]{1,12})*|[A-Za-z_]\w{0,15}", re.ASCII
)
"""How people name variables; keys have longer parts without an underscore."""


def read_base_url(endpoint: str) -> str:
    """Return ``endpoint``, an http(s) URL without user, password, query and fragment.

    Raises:
        InputError: it is none, or has one of them: they may hold a key, and a URL goes into tables and logs.
    """
    if not endpoint.startswith(("http://", "https://")):
        shown = repr(endpoint) if re.fullmatch(r"[\w.:/-]{0,60}", endpoint) else "what is given"
        raise InputError(f"endpoint: {shown} is neither 'loopback' nor an http(s) base URL; set one")
    if "@" in endpoint.split("//", 1)[1].split("/", 1)[0]:
        raise InputError(
            "endpoint: the base URL names a user; leave that out, and put a key in the variable that api_key_env names"
        )
    if "?" in endpoint or "#" in endpoint:
        raise InputError(
            "endpoint: the base URL goes on after a ? or #; leave that out, and put a key in the variable that "
            "api_key_env names"
        )
    try:
        url = urlsplit(endpoint)
        usable = bool(url.hostname) and url.port != 0
    except ValueError:
        usable = False
    if not usable or not re.fullmatch("[!-~]+", endpoint.split("//", 1)[1].partition("/")[2] or "-"):
        raise InputError("endpoint: is no URL that can be asked; write it as http://HOST:PORT/v1")
    if endpoint.rstrip("/").endswith(PATH):
        raise InputError(f"endpoint: {endpoint} is more than the base URL; leave {PATH} out")
    return endpoint


def read_variable(name: str) -> str:
    """Return ``name``, which is that of a variable.

    Raises:
        InputError: it looks like a key that was put in the place of a name; it is not shown.
    """
    if _NAME.fullmatch(name) or name in os.environ:
        return name
    raise InputError(
        "api_key_env: the name of an environment variable is needed, such as OPENAI_API_KEY; what is given is not "
        "shown, as it may be the key itself: export that in a variable"
    )
