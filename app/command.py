"""Starts `headrace` as a command: the arguments of a child process, and the restart with a fixed hash seed."""

import os
import sys

HEADRACE = [sys.executable, "-P", "-m", "headrace"]
"""The command of this interpreter's `headrace`. `-P` keeps the working folder out of the import path, as for the installed script."""

INSTANCE = "HEADRACE_INSTANCE"
"""The environment variable that names a worker in the group, as `headrace worker --instance` does."""


def fix_hash_seed() -> None:
    """Restart this command with PYTHONHASHSEED=0 unless it is already 0, since the fold must not depend on the order of a set."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 the same command again
