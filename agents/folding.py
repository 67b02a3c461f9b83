"""Folds messages and contains whatever a user's model raises."""

from collections.abc import Iterator, Sequence

from headrace.learning.effects import Effect
from headrace.learning.errors import DefinitionError, StoreError
from headrace.learning.fold.learner import Learner
from headrace.learning.plain import plain_error
from headrace.learning.records.mark import KafkaMessage


def folded(learner: Learner, messages: Sequence[KafkaMessage]) -> Iterator[list[Effect]]:
    """Fold messages and yield their effects; see `Learner.fold_many`.

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
    rows = learner.fold_many(messages)
    while True:
        try:
            effects = next(rows, None)
        except (StoreError, DefinitionError):
            raise
        except BaseException as error:
            raised = error.__cause__ or error  # a StopIteration becomes the cause of a RuntimeError
            by = "".join(f", {note}" for note in getattr(raised, "__notes__", ()))
            msg = f"the fold failed at offset {learner.folding}: {plain_error(raised)}{by}"
            raise RuntimeError(msg) from error
        if effects is None:
            return
        yield effects
