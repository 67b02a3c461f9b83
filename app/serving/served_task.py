"""A task with everything that a worker needs to answer its questions."""

import time
from collections import defaultdict, deque
from collections.abc import Sequence
from time import monotonic

import msgspec
import structlog
from msgspec import UNSET

from headrace.agents.arrivals import Arrivals
from headrace.agents.shard import Shard
from headrace.agents.shards import Model, Shards
from headrace.app.answers import ShardState
from headrace.app.serving.logged import QuestionId, UnderWay
from headrace.app.serving.question import Question, shard_key
from headrace.app.serving.refused import RequestRefused
from headrace.learning.arms.arm import Arm
from headrace.learning.errors import ModelError
from headrace.learning.fold.served_copy import ServedCopy
from headrace.learning.prediction import Prediction
from headrace.learning.records import Reader
from headrace.learning.task import Json, Task
from headrace.tables.enricher import Enricher
from headrace.tables.kafka.partitioner import partition_of

log = structlog.get_logger()

ANSWERS_KEPT = 50
"""The last answers that are kept to be shown."""

Answered = dict[str, Json] | msgspec.Raw
"""An answer of a model here, or the bytes of another worker's answer."""

FAILED_SECONDS = 60.0
"""How often a failing model is logged at most."""


class ServedTask:
    """Holds a task, its models on this worker, the reader of its records, its waiting requests, and the enricher that adds stored features.

    Parameters
    ----------
    task
        The task.
    shards
        The shards of the task, which have the models.
    enricher
        Adds stored features; None if the task has none.
    is_pure
        Whether predicting leaves the model unchanged. Otherwise a copy of the model predicts.
    """

    def __init__(self, task: Task, shards: Shards, enricher: Enricher | None = None, *, is_pure: bool = True):
        self.task, self.shards, self.arrivals = task, shards, Arrivals(shards)
        self.telemetry = shards.collaborators.telemetry
        self.enricher, self.is_pure = enricher, is_pure
        self.copies = defaultdict[int, ServedCopy](lambda: ServedCopy(monotonic, shards.collaborators.own_modules))
        self.under_way = UnderWay(shards)
        self.last_answers = deque[tuple[float, Answered]](maxlen=ANSWERS_KEPT)
        self._failed_at = -FAILED_SECONDS
        self._reader = Reader(task)
        self.sources = {source.topic for source in task.sources or ()}

    @property
    def reader(self) -> Reader:
        """Reads records by the definition in force, where a shard is known here, or else by the settings."""
        for partition in (*self.shards.owned, *range(self.task.partitions)):
            model = self.shards.answering(partition)
            if model is not None and model.learner is not None:
                return model.learner.reader
        return self._reader

    def state_of(self, known: Model | None) -> ShardState:
        """Return the state of a shard on this worker.

        A task that is stopped has no shard that goes on. The group takes the partitions of a deleted topic away, so that by then the worker may
        own none of them.
        """
        if self.shards.trouble is not None:
            return "stopped"
        if known is None:
            return "opening"
        if isinstance(known, Shard) and known.status == "live" and known.waiting is not None:
            return "waiting"
        return known.status

    def stays(self, arm: Arm) -> bool:
        """Whether the model of an arm stays as it is when it is asked. That of another definition was not tried when the worker started."""
        return ":" not in arm.model_name or (self.is_pure and arm.made_of == self.task.model)

    def note(self, answers: Sequence[Answered], seconds: float) -> None:
        """Count the answers to a request and the time that they took, and keep the last ones with the time of now in seconds since the epoch."""
        self.telemetry.predictions += len(answers)
        self.telemetry.inference_seconds.observe(seconds)
        now = time.time()
        for answer in answers if len(answers) <= ANSWERS_KEPT else answers[-ANSWERS_KEPT:]:
            self.last_answers.append((now, answer))

    def partition(self, question: Question) -> int:
        """Return the shard of a question: that of its key, or without a key a shard with a model on this worker, if there is one.

        A logged question without a key goes to the shard of its id, as its label will.

        Raises
        ------
        RequestRefused
            The question has `min_position` and no key, and the task has several shards.
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

    def question_ids(self, questions: Sequence[Question]) -> list[QuestionId]:
        """Return shard and id of each question with `log` whose id was chosen by its sender."""
        partitions = self.task.partitions
        return [
            (partition_of(shard_key(question), partitions), question.id)
            for question in questions
            if question.log and question.id is not UNSET
        ]

    def predict(self, arm: Arm, question: Question) -> Prediction | None:
        """Predict with an arm; RequestRefused, which names the model, if the model raises anything.

        Every exception is caught, even SystemExit and KeyboardInterrupt: the call does not wait, and signals do not raise in this loop, so
        the model itself has raised it.
        """
        try:
            return arm.predict(question.features)
        except BaseException as error:
            raise self._failed(arm, error) from error

    @staticmethod
    async def enrich(questions: Sequence[Question], enricher: Enricher) -> None:
        """Add the stored features that questions lack, with one look-up for all."""
        rows = [(None if question.key is UNSET else question.key, question.features) for question in questions]
        for question, features in zip(questions, await enricher.enrich(rows), strict=True):
            question.features = features

    def _failed(self, arm: Arm, error: BaseException) -> RequestRefused:
        """Make the refusal of a question for which the model has raised an error; log the whole error, at most once a minute."""
        raised = error.what if isinstance(error, ModelError) else f"{type(error).__name__}: {str(error)[:200]}"
        if (now := monotonic()) - self._failed_at >= FAILED_SECONDS:
            self._failed_at = now
            log.error("a model failed when it was asked", task=self.task.name, model=arm.model_name, exc_info=error)
        model = f"the model '{arm.model_name}' of task '{self.task.name}'"
        remedy = (
            "Mend the model, or declare `features` in headrace.toml so that it is asked only with what it can take."
        )
        return RequestRefused("unavailable", "model", f"{model} cannot answer these features: {raised}", remedy)
