"""What the system lets one process have: file descriptors."""

import contextlib
import os
import resource
import sys

SHARD_DESCRIPTORS = 20
"""Open files of one shard: 12 of its two databases when they are new, which `tests/app/test_limits.py` counts, and the files that these
grow by."""

WORKER_DESCRIPTORS = 200
"""Open files of a worker besides: libraries, connections to the brokers, connections of clients."""

DESCRIPTORS_MAX = 1 << 20
"""As many as are ever asked for; a limit may be infinite."""


def needed_descriptors(shards: int) -> int:
    """The open files that a worker needs that holds so many shards, as their owner or as a replica.

    Examples
    --------
    >>> needed_descriptors(100)
    2200
    """
    return WORKER_DESCRIPTORS + SHARD_DESCRIPTORS * shards


def descriptor_limit() -> int:
    """How many files a worker may open: the hard limit, up to which it raises its own."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)


def raise_descriptor_limit() -> int:
    """Raise the soft limit as far as one may; how many files this process may open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = descriptor_limit()
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return DESCRIPTORS_MAX if soft == resource.RLIM_INFINITY else soft


def open_standard_streams() -> None:
    """Have something at descriptors 0 to 2. A file that is opened when one is free would get its number, and a database what is written to stderr."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free: this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 for as long as the process lives
