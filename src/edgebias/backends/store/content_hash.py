"""One name for everything that an answer depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def content_hash(content: Mapping[str, Any]) -> str:
    """Return SHA-256 (hexadecimal) of ``content`` as canonical JSON: sorted keys, UTF-8, no escapes.

    Raises:
        TypeError: ``content`` holds something that JSON has no form for.
    """
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode("utf-8")).hexdigest()
