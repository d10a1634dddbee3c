"""The published files of the package of `benchmarks`, each with the git blob id of its LF form.

The ids pin content, not a place: any carrier of the same bytes will do. Those of StereoSet and of the six BBQ files
above 4 MB were compared with the upstream repositories; the others were computed from the pinned carrier. Upstream:
nyu-mll/BBQ at bea11bd9, moinnadeem/StereoSet at ead7d086, nyu-mll/crows-pairs at 8aaac11c, uclanlp/corefBias at
0bce984d, rudinger/winogender-schemas at 1c7f8b48, amazon-science/bold at 3ad652c7.
"""

from __future__ import annotations

from edgebias.core.errors import InputError
from edgebias.models import neutral_text
from edgebias.suites.base import PublishedFile
from edgebias.suites.registry import suites


def published_files() -> list[PublishedFile]:
    """Return what ``edgebias fetch-benchmarks`` writes: the files of every suite, and the text of perplexities.

    Those that another package carries are not among them: each is fetched where a study has its suite.
    """
    # Suites of trust come last: they share files of others, and the order is part of a command that DVC compares.
    ordered = sorted(suites(), key=lambda suite: bool(suite.dimension))
    files = [file for suite in ordered for file in suite.files if file.wheel is None]
    return [*dict.fromkeys(files), PublishedFile(neutral_text.PATH, neutral_text.BLOB)]


def carried_file(path: str) -> PublishedFile:
    """Return the file that is called ``path``, of those that packages of their own carry.

    Raises:
        InputError: no suite has such a file.
    """
    carried = {file.path: file for suite in suites() for file in suite.files if file.wheel is not None}
    if path not in carried:
        raise InputError(f"--file: no suite has a file {path!r} of its own carrier; choose one of {sorted(carried)}")
    return carried[path]
