"""Online learning on Kafka streams: exact after any crash, served while it learns.

The names below are the public ones. They are loaded when they are first used, so that `import headrace` takes a tenth of a second.

Examples
--------
A learner folds messages, and the same messages give the same state to the last bit:

>>> from headrace import Learner, Message, Task, digest
>>> task = Task(name="ads", kind="binary")
>>> learner, other = Learner(task, partition=0), Learner(task, partition=0)
>>> for offset in range(100):
...     message = Message(offset, b'{"features": {"price": %d}, "label": %s}' % (offset % 7, [b"true", b"false"][offset % 2]))
...     for folding in (learner, other):
...         for effects in folding.fold(message):
...             pass
>>> learner.state.updates, digest(learner.state) == digest(other.state)
(100, True)

A snapshot holds the state, and a learner can go on from it:

>>> from headrace import seal, unseal
>>> snapshot = seal(learner.state, task, 0, writer="here")
>>> digest(unseal(snapshot, task, 0)) == digest(learner.state)
True
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from headrace import arithmetic

if TYPE_CHECKING:
    from headrace import testing as testing
    from headrace.app.client import AsyncClient as AsyncClient
    from headrace.app.client import Client as Client
    from headrace.learning import effects as effects
    from headrace.learning.fold.learner import Learner as Learner
    from headrace.learning.prediction import Prediction as Prediction
    from headrace.learning.records.message import Message as Message
    from headrace.learning.snapshot import digest as digest
    from headrace.learning.snapshot import seal as seal
    from headrace.learning.snapshot import unseal as unseal
    from headrace.learning.task import Task as Task

arithmetic.set_up()

__version__ = version("headrace")

PUBLIC = {
    "AsyncClient": "app.client",
    "Client": "app.client",
    "Learner": "learning.fold.learner",
    "Message": "learning.records.message",
    "Prediction": "learning.prediction",
    "Task": "learning.task",
    "digest": "learning.snapshot",
    "effects": "learning.effects",
    "seal": "learning.snapshot",
    "testing": "testing",
    "unseal": "learning.snapshot",
}
"""The module of each public name. `effects` and `testing` are modules themselves."""

__all__ = [
    "AsyncClient",
    "Client",
    "Learner",
    "Message",
    "Prediction",
    "Task",
    "__version__",
    "digest",
    "effects",
    "seal",
    "testing",
    "unseal",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is used for the first time (PEP 562)."""
    if name not in PUBLIC:
        msg = f"module 'headrace' has no attribute {name!r}"
        raise AttributeError(msg)
    module = import_module(f"headrace.{PUBLIC[name]}")
    value = globals()[name] = module if name in ("effects", "testing") else getattr(module, name)
    return value


def __dir__() -> list[str]:
    """List the public names, including those that are not loaded yet."""
    return sorted({*globals(), *__all__})
