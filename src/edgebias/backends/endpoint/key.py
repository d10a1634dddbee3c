"""The key of an endpoint, from the environment variable that ``api_key_env`` names; no message ever has it."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Mapping
from typing import Any

from edgebias.backends.endpoint.address import read_variable
from edgebias.backends.endpoint.secret import Secret
from edgebias.core.errors import InputError

NO_KEY = Secret("no-key-needed", public=True)
"""What is sent where ``api_key_env`` is left out; many servers want some key."""

SHORTEST = 8
"""A shorter text is no secret, and taking it out of messages and answers would take out everyday words."""


def read_key(environment: Mapping[str, Any]) -> Secret:
    """Return the key that the variable named in ``api_key_env`` holds; `NO_KEY` where none is named.

    Raises:
        InputError: the variable is not set, cannot hold a key, or its key stands in ``environment`` itself.
    """
    if not environment.get("api_key_env"):
        return NO_KEY
    name = read_variable(str(environment["api_key_env"]))
    value = os.environ.get(name, "")
    if not value:
        raise InputError(f"api_key_env: the environment variable {name} is not set; export the endpoint's key in it")
    fault = fault_of_key(value)
    if fault is not None:
        raise InputError(f"api_key_env: the key in {name} {fault}")
    key = Secret(value)
    for field, setting in environment.items():
        if field != "api_key_env" and key.stands_in(json.dumps(setting, default=str)):
            raise InputError(f"{field}: holds the key in {name}; take it out: a key belongs in its variable alone")
    return key


_OF_KEYS = frozenset({"apikey", "xapikey", "key", "authorization", "proxyauthorization", "bearer", "bearertoken"})
_OF_KEYS |= {"token", "accesstoken", "authtoken", "apitoken", "secret", "clientsecret", "secretkey", "password"}
"""What fields that hold a key are called, without case and punctuation."""


def refuse_keys(fields: object, where: str = "extra") -> None:
    """Refuse a request field that is called as one that holds a key: fields are stored and reported.

    Raises:
        InputError: there is one; its value is not shown.
    """
    if isinstance(fields, Mapping):
        for name, value in fields.items():
            if "".join(filter(str.isalnum, str(name).lower())) in _OF_KEYS and value not in (None, "", False):
                raise InputError(
                    f"{where}: {str(name)[:40]!r} is what a key is called, and fields are stored and reported; leave "
                    "it out, and put the key in the variable that api_key_env names"
                )
            refuse_keys(value, where)
    elif isinstance(fields, list | tuple):
        for value in fields:
            refuse_keys(value, where)


def fault_of_key(key: str) -> str | None:
    """Return why a text cannot be a key and what to do, without showing any of it; None where it can."""
    foreign = [place for place, character in enumerate(key) if not "!" <= character <= "~"]
    if foreign and key.lower().startswith("bearer") and key[6:7].isspace():
        return "begins with the word Bearer; leave that out"
    if foreign:
        last = foreign[-1] == len(key) - 1
        where = "ends with" if last else "begins with" if foreign[0] == 0 else "has within it"
        return f"{where} {_character(key[foreign[-1 if last else 0]])}, which no key has; set it again without"
    if key[0] in "'\"`" and key[0] == key[-1]:
        return "stands in quotes; leave them out"
    if len(key) < SHORTEST:
        return (
            f"is shorter than {SHORTEST} characters, which is no secret; use a longer one, or leave api_key_env out "
            "where the endpoint needs none"
        )
    return None


def _character(character: str) -> str:
    """Name a character that cannot be seen, or not be sent."""
    names = {"\n": "a line break (\\n)", "\r": "a carriage return (\\r)", "\t": "a tab (\\t)", " ": "a space"}
    if character in names:
        return names[character]
    if "\udc80" <= character <= "\udcff":
        return f"the byte 0x{ord(character) - 0xDC00:02X}"
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character').lower()})"
