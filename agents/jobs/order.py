"""What the process of a job is told, and what it tells."""

import msgspec

from headrace.learning.recipe import Recipe
from headrace.learning.task import Value


class Order(msgspec.Struct, frozen=True):
    """One job for one shard.

    Parameters
    ----------
    id
        Of the job.
    recipe
        How the model follows from the log.
    model
        What the model is made of.
    definition
        By which the log is folded.
    promised
        The offset of the job's `install`, where the shard waits at it already.
    """

    id: str
    recipe: Recipe
    model: str | dict[str, Value]
    definition: str
    promised: int | None = None


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    """How far a job is: messages folded, of so many, and how fast: messages and rows a second.

    Examples
    --------
    >>> half = Progress(done=500, total=1_000, per_second=250.0)
    >>> half.percent, half.seconds_left
    (50.0, 2.0)
    """

    done: int = 0
    total: int = 0
    per_second: float = 0.0
    rows_per_second: float = 0.0

    @property
    def percent(self) -> float:
        """The part that is done, up to 100."""
        return round(100 * min(1.0, self.done / self.total), 1) if self.total else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long it will take, at the speed so far; None before that is known."""
        return round((self.total - self.done) / self.per_second, 1) if self.per_second else None
