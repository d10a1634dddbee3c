"""One plain line for every fault that a user can mend."""

from __future__ import annotations

import errno
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

MENDABLE = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM),
        *(errno.EISDIR, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP),
        *(errno.EFBIG, errno.EIO, errno.ESTALE, errno.EBUSY),
    }
)
"""Faults of files and folders that the user can mend."""

OF_FILES = {
    errno.EFBIG: "raise the limit of a file's size (`ulimit -f unlimited`)",
    errno.EIO: "check the disk",
    errno.ESTALE: "mount that disk again",
    errno.EBUSY: "end what uses it",
}
"""What helps where it is not space or another folder."""


_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")


class InputError(Exception):
    """Bad input: the message names the file or key, the reason, and the way out, in one line."""


def one_line(text: object, longest: int) -> str:
    """Return ``text`` without line breaks, and of it at most the first ``longest`` characters."""
    return " ".join(str(text).split())[:longest]


def fail(message: str) -> NoReturn:
    """Print one line to standard error and leave with exit status 2."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2)


def run_stage(main: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> None:
    """Run a stage's ``main(argv)``; turn mendable faults into one line and exit status 2.

    Full disks, folders that cannot be written and limits of the system are mendable faults too. An interruption ends
    with status 130, a reader that left the pipe with 1. Anything else is a bug and keeps its traceback.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a locale that lacks a character is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    try:
        main(argv)
        if sys.stdout is not None:  # closed by the caller
            sys.stdout.flush()
    except InputError as error:
        fail(str(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains once more at its end
        raise SystemExit(1) from None
    except MemoryError as error:
        fail(f"out of memory{f' ({error})' if str(error) else ''}; end other programs, or use a smaller model")
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            fail(f"{error.strerror}: raise the limit (`ulimit -n 1024`), then run again")
        if error.errno is None and _SHORT_WRITE.fullmatch(str(error)):  # what numpy raises
            fail("output: a file was not written whole; free space or choose another folder, then run again")
        if error.errno == errno.ENOENT and error.filename is None:  # what `tempfile` raises
            fail(f"TMPDIR: {error.strerror}; set it to a folder that can be written, then run again")
        if error.errno not in MENDABLE:
            raise
        way_out = OF_FILES.get(error.errno, "free space or choose a writable folder")
        fail(f"{error.filename or 'output'}: {error.strerror}; {way_out}, then run again")
