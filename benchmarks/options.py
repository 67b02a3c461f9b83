"""The command line that the programs here have in common."""

import argparse
import signal
import sys


def read_options(doc: str | None, **defaults: float | bool) -> argparse.Namespace:
    """Read the options of a program, `--json` among them, and have SIGTERM end it with its broker and its workers.

    Parameters
    ----------
    doc
        What `--help` prints: the docstring of the program.
    defaults
        The other options, each with its default, whose type it has; one that is False takes no value.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (defaults | {"json": False}).items():
        if default is False:
            parser.add_argument(f"--{name}", action="store_true")
        else:
            parser.add_argument(f"--{name}", type=type(default), default=default)
    return parser.parse_args()
