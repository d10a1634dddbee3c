"""No mitigation: the build as it is, with which every other method is compared."""

from __future__ import annotations

from edgebias.mitigate.base import Method, NoSettings


class NoMitigation(Method[NoSettings]):
    """The build as it is."""

    name = "none"


METHOD = NoMitigation()
