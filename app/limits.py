"""Raises the limit of open files, and computes how many a worker needs."""

import contextlib
import os
import resource
import sys

SHARD_DESCRIPTORS = 20
"""The open files of one shard: 12 of its two databases when they are new, as `tests/app/test_limits.py` counts, and room for the files that
the databases add as they grow."""

WORKER_DESCRIPTORS = 200
"""The open files of a worker without shards: libraries, connections to the brokers, connections of clients."""

DESCRIPTORS_MAX = 1 << 20
"""The largest limit that is ever requested, since the hard limit may be infinite."""


def needed_descriptors(shards: int) -> int:
    """Return how many open files a worker needs for this number of shards, owned or as replicas.

    Examples
    --------
    >>> needed_descriptors(100)
    2200
    """
    return WORKER_DESCRIPTORS + SHARD_DESCRIPTORS * shards


def descriptor_limit() -> int:
    """Return how many files a worker may open: the hard limit, to which a worker raises its soft limit."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return DESCRIPTORS_MAX if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MAX)


def raise_descriptor_limit() -> int:
    """Raise the soft limit as far as allowed, and return how many files this process may open now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = descriptor_limit()
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # some systems allow less than their hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return DESCRIPTORS_MAX if soft == resource.RLIM_INFINITY else soft


def open_standard_streams() -> None:
    """Open descriptors 0 to 2 if they are closed. Otherwise a database file could get number 2, and the text written to stderr."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 open until the process ends
