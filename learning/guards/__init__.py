"""Guards: they watch whether the champion is still worth its role, and what it may learn."""

from headrace.learning.catalogue import Catalogue
from headrace.learning.guards.below_baseline import BelowBaseline
from headrace.learning.guards.degraded import Degraded
from headrace.learning.guards.guard import Compared, Guard
from headrace.learning.guards.label_rate import LabelRateGuard
from headrace.learning.guards.outlier import OutlierGuard
from headrace.learning.task import Task

__all__ = ["GUARDS", "Compared", "Guard", "guards_of"]

GUARDS: Catalogue[type[Guard]] = Catalogue(
    "guard",
    {
        "degraded": Degraded,
        "below_baseline": BelowBaseline,
        "label_rate": LabelRateGuard,
        "outlier": OutlierGuard,
    },
)
"""Each guard that a shard may have, with its class."""


def guards_of(task: Task) -> dict[str, Guard]:
    """Make the guards of a task.

    Examples
    --------
    >>> list(guards_of(Task(name="ads", kind="binary")))
    ['degraded', 'below_baseline', 'label_rate']
    """
    made = ((name, guard.of(task)) for name, guard in GUARDS.items())
    return {name: guard for name, guard in made if guard is not None}
