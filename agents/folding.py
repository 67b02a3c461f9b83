"""Folding a message, whatever a user's model raises."""

from collections.abc import Iterator

from headrace.learning.effects import Effect
from headrace.learning.errors import StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.records.mark import KafkaMessage


def folded(learner: Learner, message: KafkaMessage) -> Iterator[list[Effect]]:
    """Yield the effects of each row of a message.

    Everything that a model raises is a defect of the model, even if it looks as if the broker was away, the task cancelled or the process told
    to exit: half a message is folded. River's Rust parts raise a PanicException, which is no Exception.

    Raises
    ------
    StoreError
        The pending table failed.
    RuntimeError
        Anything else was raised.
    """
    rows = learner.fold(message)
    while True:
        try:
            effects = next(rows, None)
        except StoreError:
            raise
        except BaseException as error:
            msg = f"the fold failed at offset {message.offset}: {error!r}"
            raise RuntimeError(msg) from error
        if effects is None:
            return
        yield effects
