"""Forks children of `fuzz_states.py` from a process that has warmed up, which is nearly all that a short run takes.

    python tests/crash/fuzz_forks.py SOCKET

It is a server as `tests/fork_server.py` has it, whose commands are the options of a child. In the environment of a mutant, `MUTANT_MODULE` and
`MUTANT_CHANGE` say which module is changed before the first case, and how.
"""

import contextlib
import importlib
import io
import os
import sys
import time

import fuzz_states
from fork_server import become, serve


def spin(seconds):
    """Take so many seconds of processor time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def mutate():
    """Change what the environment says."""
    module = importlib.import_module(os.environ["MUTANT_MODULE"])
    names = {"sys": sys, "spin": spin, "fuzz_states": fuzz_states}
    exec(os.environ["MUTANT_CHANGE"], vars(module) | names, vars(module))


if __name__ == "__main__":
    with contextlib.redirect_stdout(io.StringIO()):  # the server answers there
        reading = fuzz_states.warmed_up(fuzz_states.KINDS)
    become(serve(sys.argv[1]))
    if "MUTANT_CHANGE" in os.environ:
        fuzz_states.begin = mutate
    fuzz_states.child(fuzz_states.parse(), reading)
