"""Folds a message and contains whatever a user's model raises."""

from collections.abc import Iterator

from headrace.learning.effects import Effect
from headrace.learning.errors import DefinitionError, StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.records.mark import KafkaMessage


def folded(learner: Learner, message: KafkaMessage) -> Iterator[list[Effect]]:
    """Fold a message and yield the effects of each of its rows.

    Every exception of a model is a defect of the model, even one that looks like a broker error, a cancellation or an exit, because half
    a message is folded by then. River's Rust parts raise a PanicException, which is a BaseException and not an Exception.

    Raises
    ------
    StoreError
        The pending table has failed.
    DefinitionError
        The log was folded by another definition from its beginning on.
    RuntimeError
        The fold has raised any other exception.
    """
    rows = learner.fold(message)
    while True:
        try:
            effects = next(rows, None)
        except (StoreError, DefinitionError):
            raise
        except BaseException as error:
            raised = error.__cause__ or error  # a StopIteration becomes the cause of a RuntimeError
            by = "".join(f", {note}" for note in getattr(raised, "__notes__", ()))
            msg = f"the fold failed at offset {message.offset}: {error!r}{by}"
            raise RuntimeError(msg) from error
        if effects is None:
            return
        yield effects
