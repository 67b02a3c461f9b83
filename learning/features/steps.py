"""The steps of a task's features, put together: what becomes of a whole record before a model sees it."""

from collections.abc import Mapping

from river import base

from headrace.learning.features.cross import cross
from headrace.learning.features.missing import Fill
from headrace.learning.features.step import Features, Step
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Value


@tagged("feature-steps/1")
class Steps(base.Base):
    """Makes the features of a record into plain ones, which go the way of features without a step, and numbers that are ready for a model.

    Parameters
    ----------
    steps
        The step of each feature that has one.
    fills
        What stands in for each feature that may be missing.
    crosses
        Features that count together.

    Examples
    --------
    >>> from headrace.learning.features.log_scale import Log
    >>> steps = Steps({"price": Log()}, {}, (("country", "device"),))
    >>> steps.transform({"price": 0.0, "country": "PT", "device": "phone"})
    ({'price': 0.0, 'country': 'PT', 'device': 'phone', 'country*device': '#14607'}, {})
    """

    def __init__(self, steps: Mapping[str, Step], fills: Mapping[str, Fill], crosses: tuple[tuple[str, ...], ...]):
        self.steps, self.fills, self.crosses = dict(steps), dict(fills), crosses

    def transform(self, x: Features) -> tuple[Features, dict[str, Value]]:
        """Return the plain features of a record, and the numbers that are ready."""
        plain: Features = {}
        ready: dict[str, Value] = {}
        for name, value in self._complete(x).items():
            step = self.steps.get(name)
            if step is None or type_of(value) not in step.takes:
                plain[name] = value
            elif step.is_ready:
                ready |= step.transform(name, value, x)
            else:
                plain |= step.transform(name, value, x)
        for names in self.crosses:
            plain |= cross(names, x)
        return plain, ready

    def learn(self, x: Features, y: Label | None) -> None:
        """Learn a record that was transformed, with its label if it has one."""
        for name, step in self.steps.items():
            if name in x and type_of(x[name]) in step.takes:
                step.learn(x[name], x, y)
        for name, fill in self.fills.items():
            if name in x:
                fill.learn(x[name], x)

    def _complete(self, x: Features) -> Features:
        lacking = [name for name in self.fills if name not in x]
        if not lacking:
            return x
        complete = dict(x)
        for name in lacking:
            complete |= self.fills[name].fill(name, x)
        return complete


def type_of(value: Value) -> str:
    """Name the type of a value as `Feature.type` does."""
    return "string" if isinstance(value, str) else "bool" if isinstance(value, bool) else "float"
