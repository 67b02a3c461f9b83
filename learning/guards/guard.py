"""The interface of a guard: it watches whether the champion is still worth its role, and what it may learn."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple, Protocol

from headrace.learning.prediction import Prediction
from headrace.learning.signals import Notice
from headrace.learning.task import Label, Task, Value


class Compared(NamedTuple):
    """A label at which the champion is compared, with what each arm had predicted, and the labels since the last such one.

    Parameters
    ----------
    predictions
        The name of each arm that was asked, with its prediction; None while it is cold. Empty if the champion of then has been replaced.
    label
        The label.
    earlier
        The labels that have come since the one before at which the champion was compared, in their order.
    """

    predictions: Mapping[str, Prediction | None]
    label: Label
    earlier: Sequence[Label] = ()


class Guard(Protocol):
    """A guard of one shard; its attributes are part of the state.

    Attributes
    ----------
    name
        The name in the catalogue of guards, which signals carry.
    asks
        The reaction that a notice of this guard asks for; empty if it asks for none.
    admits
        Whether it looks at each sample before it is learned, by `find_fault`. A guard that admits and asks for nothing gives no notices.
    """

    name: ClassVar[str]
    asks: ClassVar[str]
    admits: ClassVar[bool]

    @classmethod
    def of(cls, task: Task) -> "Guard | None":
        """Make the guard of a task; None if the task does not want it."""
        ...

    def compare(self, compared: Compared) -> Notice | None:
        """See a label that was scored and is about to be learned; return what is wrong."""
        ...

    def find_fault(self, features: dict[str, Value]) -> str | None:
        """Say why a sample must not be learned; None if it may."""
        ...

    def restart(self) -> None:
        """Forget what was compared: the champion is another model now."""
        ...
