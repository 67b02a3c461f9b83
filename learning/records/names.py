"""The names that a shard has learned: of features and, with models of a user's own, of the values of string features."""

from headrace.learning.task import Task, Value

KnownNames = dict[str, dict[str, None] | None]
"""The name of each feature, with the strings that were its values; None for a feature that was never a string."""


class Names:
    """Counts the names that models have learned, and admits new names until a limit is reached.

    A model keeps a weight, a mean or a split for each feature name, and never forgets one. Without a limit, a sender that makes up names would
    make the model grow for ever; with a model that has no limit of its own, so would one that puts ids into features. A record whose names are
    all known is always admitted.

    Parameters
    ----------
    limit
        The number of names that may be known: `Task.name_limit`.
    known
        The names learned so far; new names are added to this dict.
    values
        Whether the values of string features count too. The models of the catalogue need no such limit: they hash what is too much.

    Examples
    --------
    >>> names = Names(limit=3, known={}, values=True)
    >>> names.admit({"price": 3.5, "country": "PT"})
    >>> names.admit({"price": 1.0, "country": "ES"})
    "feature 'country' is 'ES', a new name, and 3 are known already. Declare `features`, or raise name_limit in headrace.toml."
    >>> names.known
    {'price': None, 'country': {'PT': None}}
    """

    def __init__(self, limit: int, known: KnownNames, *, values: bool):
        self.limit = limit
        self._values = values
        self.known = known
        self._room = limit - len(known) - sum(map(len, filter(None, known.values())))

    def admit(self, features: dict[str, Value]) -> str | None:
        """Add the names of features that are about to be learned; if there is no room for all, add none and return the reason."""
        known = self.known
        for name, value in features.items():  # the fast path: as a rule all are known
            if name not in known or (self._values and type(value) is str and value not in (known[name] or ())):
                break
        else:
            return None
        new = sum(map(self._count_new, features, features.values()))
        if new > self._room:
            name = next(name for name, value in features.items() if self._count_new(name, value))
            shown = repr(features[name])[:80]
            return (
                f"feature {repr(name)[:80]} is {shown}, a new name, and {self.limit - self._room} are known already. "
                "Declare `features`, or raise name_limit in headrace.toml."
            )
        if new:
            self._room -= new
            self._add(features)
        return None

    def _count_new(self, name: str, value: Value) -> int:
        if name not in self.known:
            return 1 + (self._values and type(value) is str)
        return int(self._values and type(value) is str and value not in (self.known[name] or ()))

    def _add(self, features: dict[str, Value]) -> None:
        known = self.known
        for name, value in features.items():
            values = known.setdefault(name, None)
            if self._values and type(value) is str:
                if values is None:
                    values = known[name] = {}
                values[value] = None


def is_bounded(task: Task) -> bool:
    """Return whether the task's schema alone limits the names: it declares all features and, for a user's own model, the values of strings."""
    declared = task.features
    if declared is None:
        return False
    return not task.modules or all(one.type != "string" or one.values is not None for one in declared.values())
