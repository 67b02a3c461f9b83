"""The command that starts another process of this same program."""

import sys

HEADRACE = [sys.executable, "-P", "-m", "headrace"]
"""The `headrace` of this interpreter. `-P` keeps the working folder out of the import path, as it is for the installed script."""
