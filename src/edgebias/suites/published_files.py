"""The published files that the study reads, each with the git blob id of its LF form.

The ids pin content, not a place: any carrier of the same bytes will do. Those of StereoSet and of the six BBQ files
above 4 MB were compared with the upstream repositories; the others were computed from the pinned carrier. Upstream:
nyu-mll/BBQ at bea11bd9, moinnadeem/StereoSet at ead7d086, nyu-mll/crows-pairs at 8aaac11c, uclanlp/corefBias at
0bce984d, rudinger/winogender-schemas at 1c7f8b48, amazon-science/bold at 3ad652c7.
"""

from __future__ import annotations

from edgebias.suites.base import PublishedFile
from edgebias.suites.registry import suites

NEUTRAL_TEXT = PublishedFile("BOLD/data/wikipedia/profession_wiki.json", "43fcf40ed78453d170af6046083c143db822eef9")
"""Sentences of Wikipedia, on which perplexity is measured (`edgebias.models.perplexity`)."""


def published_files() -> list[PublishedFile]:
    """Return what ``fetch benchmarks`` writes: the files of every suite, and the neutral text."""
    return [*(file for suite in suites() for file in suite.files), NEUTRAL_TEXT]
