"""The last value of each entity, for a bounded number of entities."""

from headrace.learning.tags import tagged
from headrace.learning.task import Value

ENTITIES_MAX = 100_000
"""The entities that are remembered: those that came last."""


@tagged("feature-last/1", values=dict[str, bool | int | float | str])
class Last:
    """Remembers a value for each entity; the one that has not come for longest is forgotten first.

    Examples
    --------
    >>> last = Last()
    >>> last.note("u1", 3.0)
    >>> last.of("u1"), last.of("u2")
    (3.0, None)
    """

    def __init__(self) -> None:
        self.values: dict[str, Value] = {}

    def of(self, entity: str) -> Value | None:
        """Return the last value of an entity; None if there is none."""
        return self.values.get(entity)

    def note(self, entity: str, value: Value) -> None:
        """Remember the value of an entity."""
        self.values.pop(entity, None)
        self.values[entity] = value
        if len(self.values) > ENTITIES_MAX:
            del self.values[next(iter(self.values))]
