"""One plain line for every fault that a user can mend."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn


class InputError(Exception):
    """Bad input: the message names the file or key, the reason, and the way out, in one line."""


def fail(message: str) -> NoReturn:
    """Print one line to standard error and leave with exit status 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2)


def run_stage(main: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> None:
    """Run a stage's ``main(argv)``; turn mendable faults into one line and exit status 2.

    Full disks and read-only folders are mendable faults too. Anything else is a bug and keeps its
    traceback.
    """
    try:
        main(argv)
    except InputError as error:
        fail(str(error))
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT}:
            raise
        fail(f"{error.filename or 'output'}: {error.strerror}; free space or choose a writable folder, then run again")
