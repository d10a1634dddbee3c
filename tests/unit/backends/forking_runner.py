"""Runs stages in forks of itself, so that a process that is killed costs no seconds of importing.

A line on standard input is ``[module, arguments]``; the answers are the process id, then how it ended.
"""

from __future__ import annotations

import json
import os
import resource
import sys

import transformers.models.llama.modeling_llama  # noqa: F401

from edgebias.cli import main
from edgebias.core.code_hash import code_hash

for module in ("infer", "rounds", "robustness", "mitigate"):
    code_hash(f"edgebias.stages.{module}")  # parses now what every fork then knows

for line in sys.stdin:
    module, arguments, log, limit = json.loads(line)
    child = os.fork()
    if child == 0:
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            main([module, *arguments])
        except SystemExit as error:
            os._exit(int(error.code or 0))
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
