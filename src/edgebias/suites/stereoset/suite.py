"""StereoSet (Nadeem et al., ACL 2021; moinnadeem/StereoSet at ead7d086, CC BY-SA 4.0), the public development set.

Its stereotype score ss stands for it, as in the paper.
"""

from __future__ import annotations

from edgebias.suites.base import PublishedFile, Suite
from edgebias.suites.formats import LIKELIHOOD

SUITE = Suite(
    name="stereoset",
    title="StereoSet",
    items="edgebias.suites.stereoset.items",
    metrics="edgebias.suites.stereoset.metrics",
    conditions=("intrasentence", "intersentence"),
    formats=(LIKELIHOOD,),
    primary=((LIKELIHOOD, "ss"),),
    contrasted=("ss", "icat"),
    default_conditions=("intrasentence",),
    panels=("ss",),
    bias="ss",
    utility=("lms",),
    drives_loop=True,
    teaches=True,
    files=(PublishedFile("StereoSet/data/dev.json", "637b1e3d284a3c629b74a4659c583b8eca9bd13e"),),
)
