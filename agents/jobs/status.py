"""How a job stands, for those who look."""

from typing import Literal

import msgspec


class JobStatus(msgspec.Struct, frozen=True):
    """How a job stands on the worker that owns its shard.

    Parameters
    ----------
    id, kind
        Of the job.
    state
        `waiting` for another job or for another attempt, `running`, or `delivered` when its outcome is in the log.
    attempts
        How often it was begun on this worker.
    percent, rows_per_s, left_s
        How far it is, rows a second, and the seconds that it still needs at that speed, None before that is known.
    error
        Why the last attempt failed.
    """

    id: str
    kind: str
    state: Literal["waiting", "running", "delivered"]
    attempts: int
    percent: float
    rows_per_s: float
    left_s: float | None
    error: str | None
