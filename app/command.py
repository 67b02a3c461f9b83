"""This program as a command: how it is started, and started again."""

import os
import sys

HEADRACE = [sys.executable, "-P", "-m", "headrace"]
"""The `headrace` of this interpreter. `-P` keeps the working folder out of the import path, as it is for the installed script."""

INSTANCE = "HEADRACE_INSTANCE"
"""The variable that names a worker in the group, as `headrace worker --instance` does."""


def fix_hash_seed() -> None:
    """Start this command again with PYTHONHASHSEED=0 unless it is set so: the fold must not depend on the order of a set."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 the same command again
