"""The mark of an answer that a service withheld: backends write it, the reader of replies knows it."""

from __future__ import annotations

SERVICE_REFUSAL = "[refused by the service]"
"""How the text of an answer begins that a service's filter withheld: no model wrote it; the service's words follow."""
