"""A task as a worker serves it."""

from collections import defaultdict
from collections.abc import Sequence
from time import monotonic

import structlog
from msgspec import UNSET

from headrace.agents.arrivals import Arrivals
from headrace.agents.shards import Shards
from headrace.app.serving.logged import Name, UnderWay
from headrace.app.serving.question import Question, shard_key
from headrace.app.serving.refused import RequestRefused
from headrace.learning.arms.arm import Arm
from headrace.learning.errors import ModelError
from headrace.learning.fold.served_copy import ServedCopy
from headrace.learning.prediction import Prediction
from headrace.learning.records import Reader
from headrace.learning.task import Task
from headrace.tables.enricher import Enricher
from headrace.tables.kafka.partitioner import partition_of

log = structlog.get_logger()

FAILED_SECONDS = 60.0
"""How often the log is told that a model fails when it is asked."""


class ServedTask:
    """A task with its models on this worker, the reader of its records, the requests that wait, and the enricher that adds stored features.

    Parameters
    ----------
    task
        The task.
    shards
        Its shards, which have the models.
    enricher
        Adds stored features; None for a task that has none.
    is_pure
        Whether its model stays as it is when it is asked. One that does not is asked by way of a copy.
    """

    def __init__(self, task: Task, shards: Shards, enricher: Enricher | None = None, *, is_pure: bool = True):
        self.task, self.shards, self.reader, self.arrivals = task, shards, Reader(task), Arrivals(shards)
        self.enricher, self.is_pure = enricher, is_pure
        self.copies = defaultdict[int, ServedCopy](lambda: ServedCopy(monotonic, shards.collaborators.own_modules))
        self.under_way = UnderWay(shards)
        self._failed_at = -FAILED_SECONDS
        self.sources = {source.topic for source in task.sources or ()}

    def partition(self, question: Question) -> int:
        """Return the shard that a question goes to: that of its key; without one, a shard of this worker, where there is one.

        A question that is logged goes by its id then, as its label will.

        Raises
        ------
        RequestRefused
            A position is asked for, and the shard that it is of is not named.
        """
        if self.task.partitions == 1:
            return 0
        if question.key is not UNSET or question.log:
            return partition_of(shard_key(question), self.task.partitions)
        if question.min_position is not UNSET:
            what = f"a position is one shard's, and the task '{self.task.name}' has {self.task.partitions}."
            raise RequestRefused("conflict", "key", what, "Send the key too.")
        known = (*self.shards.owned, *range(self.task.partitions))
        return next((partition for partition in known if self.shards.answering(partition) is not None), 0)

    def names(self, questions: Sequence[Question]) -> list[Name]:
        """Return shard and id of each question that is to be logged under an id that its sender has chosen."""
        partitions = self.task.partitions
        return [
            (partition_of(shard_key(question), partitions), question.id)
            for question in questions
            if question.log and question.id is not UNSET
        ]

    def predict(self, arm: Arm, question: Question) -> Prediction | None:
        """Ask an arm; RequestRefused, which names the model, where it raises anything at all.

        Nothing is let through, not even what ends a program: it is the model that has raised it, in the middle of a call that waits for
        nothing, and signals do not raise in this loop.
        """
        try:
            return arm.predict(question.features)
        except BaseException as error:
            raise self._failed(error) from error

    async def enrich(self, questions: Sequence[Question]) -> None:
        """Give questions the stored features that they do not carry, in one look-up."""
        if self.enricher is not None:
            rows = [(None if question.key is UNSET else question.key, question.features) for question in questions]
            for question, features in zip(questions, await self.enricher.enrich(rows), strict=True):
                question.features = features

    def _failed(self, error: BaseException) -> RequestRefused:
        """Make the refusal of a question for which the model has raised this; the log has it whole, once a minute at most."""
        raised = error.what if isinstance(error, ModelError) else f"{type(error).__name__}: {str(error)[:200]}"
        if (now := monotonic()) - self._failed_at >= FAILED_SECONDS:
            self._failed_at = now
            log.error(
                "a model failed when it was asked", task=self.task.name, model=self.task.model_name, exc_info=error
            )
        model = f"the model '{self.task.model_name}' of task '{self.task.name}'"
        remedy = (
            "Mend the model, or declare `features` in headrace.toml so that it is asked only with what it can take."
        )
        return RequestRefused("unavailable", "model", f"{model} cannot answer these features: {raised}", remedy)
