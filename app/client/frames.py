"""Data frames as samples and as questions: the steps that both clients take, each a call that a client makes and whose answer it hands back."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import click
import msgspec
from msgspec import UNSET

from headrace.app.answers import Answer, Appended, At, read_settings
from headrace.app.client import calls
from headrace.app.client.calls import Steps
from headrace.app.client.errors import ClientError, FrameError, RateError, RefusedError
from headrace.app.client.sent import Sent, Tally, Waited
from headrace.app.files.frames import NAME, Frame, open_frame
from headrace.app.files.rows import Rows
from headrace.app.files.sample import Sample
from headrace.app.files.sources import Named
from headrace.learning.task import Json, Task
from headrace.learning.task.columns import Columns

BATCH_ROWS = 1_000
"""The most rows in a request: what a worker takes."""

BATCH_BYTES = 200_000
"""The most bytes of records in a request with several rows. JSON may write a letter as six bytes, and a worker's default limit is 1 MiB."""

PATIENCE = 60.0
"""The most seconds that are waited for one request, when the worker refuses it because the key makes too many a second."""

RETRY_SECONDS = 1.0
"""The wait where the worker names none."""

PREFIX = "probability_"
"""How the columns of the probabilities begin; the name of the class follows."""

Given = TypeVar("Given")

log = logging.getLogger("headrace.client")


class Samples(NamedTuple):
    """The samples of a data frame, and the columns that were left out."""

    samples: Iterator[Sample]
    left_out: list[str]


def samples_of(frame: object, task: Task, named: Named, *, labelled: bool = True) -> Samples:
    """Return the samples of a data frame, or its questions; rows that cannot be sent have a reason. They are made as those of a file are.

    Parameters
    ----------
    frame
        A frame of pandas, polars or pyarrow, or a list of dicts.
    task
        The task, with the columns of its settings.
    named
        The columns that the caller names, in place of those of the settings.
    labelled
        Whether the rows have labels.

    Raises
    ------
    FrameError
        It is no data frame, or a column that is named is not there.
    """
    try:
        return _samples(open_frame(frame), task, named, labelled=labelled)
    except click.UsageError as error:
        raise _frame_error(error) from None


def _samples(frame: Frame, task: Task, named: Named, *, labelled: bool) -> Samples:
    columns = named.over(task.columns)
    if not labelled:  # the settings say what files of samples have; a frame of questions may lack the id
        there = {name: getattr(columns, name) for name in ("id", "key")}
        absent = {
            name: None for name, column in there.items() if column not in frame.names and named[_at(name)] is None
        }
        columns = msgspec.structs.replace(columns, **absent)
    moments = frame.moments()
    dates = {name: form for name, form in columns.dates.items() if name not in moments}
    columns = msgspec.structs.replace(columns, dates=dates)
    table = frame.table(_used(task, columns, frame.names, labelled=labelled))
    rows = Rows(task, columns, table, NAME, labelled=labelled)
    nested = [name for name in frame.names if name not in table.places]
    return Samples(iter(rows.samples(table, NAME)), [*rows.left_out, *nested])


def _at(name: str) -> int:
    return Named._fields.index(name)


def _used(task: Task, columns: Columns, names: Iterable[str], *, labelled: bool) -> set[str]:
    """Return the columns of which a record is made."""
    roles = {columns.id, columns.key, columns.time} | ({columns.label or "label"} if labelled else set())
    features = set(task.features) if task.features is not None else set(names) - {columns.label or "label"}
    return features | {name for name in roles if name is not None}


def _frame_error(error: click.UsageError) -> FrameError:
    what, _, remedy = error.message.partition(". ")
    return FrameError(what.rstrip(".") + ".", remedy)


def sending(task: str | Task, frame: object, named: Named) -> Steps[Sent]:
    """Append a sample for each row of a data frame, batch by batch."""
    waited = Waited()
    known = yield from knowing(task, waited)
    samples, left_out = samples_of(frame, _lenient(known), named)
    tally = Tally(left_out, waited)
    try:
        for batch in _batches(samples):
            wanted = [sample for sample in batch if not sample.reason]
            done: list[Any] = []
            try:
                yield from _all_or_each(
                    wanted, lambda rows: calls.samples(known.name, _bodies(rows)), is_wrong, done, waited
                )
            finally:
                _count(tally, batch, done)
    except ClientError as error:
        error.sent = tally.sent
        raise
    return tally.sent


def predicting(task: str | Task, frame: object, *, fresh: bool, options: calls.QuestionOptions) -> Steps[Any]:
    """Ask a question for each row of a data frame, batch by batch, and return the answers as a frame of the same library."""
    waited = Waited()
    known = yield from knowing(task, waited)
    shared: dict[str, Any] = {name: value for name, value in options.items() if name not in ("id", "key")}
    named = Named(id=options.get("id"), key=options.get("key"))
    samples, _ = samples_of(frame, _lenient(known), named, labelled=False)
    answers: list[Answer | str] = []
    for batch in _batches(samples):
        wanted = [sample for sample in batch if not sample.reason]
        done: list[Any] = []
        yield from _all_or_each(
            wanted,
            lambda rows: calls.batch(known.name, _bodies(rows, shared), fresh=fresh),
            is_unanswerable,
            done,
            waited,
        )
        asked = iter(done)
        for sample in batch:
            answer = sample.reason or next(asked)
            answers.append(answer if isinstance(answer, Answer | str) else _reason(answer))
    columns, types = _columns(known, answers, with_id=bool(options.get("log")))
    return open_frame(frame).like(columns, types)


def patiently(call: calls.Call[calls.Result], waited: Waited) -> Steps[calls.Result]:
    """Make a call, and make it again while the worker asks to wait, up to `PATIENCE`. A request that is refused so has changed nothing.

    Raises
    ------
    RateError
        The worker still asks to wait.
    """
    left = PATIENCE
    while True:
        try:
            answer: calls.Result = yield call
        except RateError as error:
            pause = error.retry_after or RETRY_SECONDS
            if pause > left:
                raise
            log.warning("waiting %g s, as the worker asks: %s", pause, error.what)
            yield calls.Pause(pause)
            left, waited.seconds = left - pause, waited.seconds + pause
        else:
            return answer


def knowing(task: str | Task, waited: Waited | None = None) -> Steps[Task]:
    """Return a task as the worker's settings declare it, unless the caller has it."""
    if isinstance(task, Task):
        return task
    status = yield from patiently(calls.status(task), waited or Waited())
    settings: dict[str, Json] | None = None if status.settings is UNSET else status.settings
    if settings is None:
        raise FrameError(f"the worker does not tell the settings of '{task}'.", "Give a Task in place of its name.")
    try:
        return read_settings(task, settings)
    except ValueError as error:
        what = f"the settings of '{task}' are those of another version of Headrace: {error}."
        raise FrameError(what, "Use the version of the worker, or give a Task in place of its name.") from None


def _lenient(task: Task) -> Task:
    """Let rows lack features that the worker looks up."""
    if not task.features or not task.stored:
        return task
    features = {
        name: msgspec.structs.replace(feature, optional=True) if name in task.stored else feature
        for name, feature in task.features.items()
    }
    return msgspec.structs.replace(task, features=features)


def _batches(samples: Iterable[Sample]) -> Iterator[list[Sample]]:
    """Yield samples up to what a worker takes in one request."""
    batch: list[Sample] = []
    size = 0
    for sample in samples:
        if batch and (len(batch) == BATCH_ROWS or size + len(sample.value) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(sample)
        size += len(sample.value)
    if batch:
        yield batch


def _bodies(samples: Sequence[Sample], shared: Mapping[str, Json] | None = None) -> list[dict[str, Json]]:
    """Return samples as a worker takes them, with what all have in common. The record keeps the order of its keys, and so do the bytes in the log."""
    bodies = []
    for sample in samples:
        body = msgspec.json.decode(sample.value, type=dict[str, Json])
        if sample.key is not None:
            body["key"] = sample.key
        bodies.append({**body, **(shared or {})})
    return bodies


def _all_or_each(
    rows: Sequence[Sample],
    make: Callable[[Sequence[Sample]], calls.Call[Any]],
    is_refused: Callable[[ClientError], bool],
    done: list[Any],
    waited: Waited,
) -> Steps[None]:
    """Make a call for some rows, and add to `done` what the worker gives for each of them, or its refusal.

    A worker takes all rows of a request or none. If it refuses them, each half is sent by itself, down to the rows that are wrong, and the
    order of the rows stays.
    """
    if not rows:
        return
    try:
        answer = yield from patiently(make(rows), waited)
    except ClientError as error:
        if not is_refused(error):
            raise
        if len(rows) == 1:
            done.append(error)
            return
    else:
        given: list[Any] = answer.positions if isinstance(answer, Appended) else answer
        done += given
        return
    half = len(rows) // 2
    yield from _all_or_each(rows[:half], make, is_refused, done, waited)
    yield from _all_or_each(rows[half:], make, is_refused, done, waited)


def is_wrong(error: ClientError) -> bool:
    """Return whether a request was refused because a row of it is wrong. Then none of them is in the log."""
    return isinstance(error, RefusedError) and error.status == 422


def is_unanswerable(error: ClientError) -> bool:
    """Return whether questions were refused because of one of them, or because their answers are too large together."""
    return is_wrong(error) or (
        isinstance(error, RefusedError) and (error.status == 413 or error.code == "duplicate_id")
    )


def _reason(error: object) -> str:
    """Return the reason of a refusal without the number that the row had in its request."""
    return re.sub(r"^(sample|question) 0: ", "", str(error))


def _count(tally: Tally, batch: Iterable[Sample], done: Iterable[At | ClientError]) -> None:
    """Count the rows of a batch in their order, up to the first one of which it is not known what has become of it."""
    known = iter(done)
    for sample in batch:
        at = sample.reason or next(known, None)
        if at is None:
            return
        if isinstance(at, At):
            tally.append(at.partition, at.offset)
        else:
            tally.refuse(sample.line, _reason(at))


def _columns(task: Task, answers: list[Answer | str], *, with_id: bool) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """Return the columns of the answers, and their types."""
    given = [answer if isinstance(answer, Answer) else None for answer in answers]
    columns: dict[str, list[Any]] = {}
    types: dict[str, str] = {}
    if with_id:
        columns["id"], types["id"] = [answer and answer.id for answer in given], "str"
    predictions: list[Any] = [None if answer is None else answer.prediction for answer in given]
    if task.kind == "regression":
        predictions = [None if value is None else float(value) for value in predictions]
    kinds = {type(value).__name__ for value in predictions if value is not None}
    columns["prediction"] = predictions
    types["prediction"] = {"binary": "bool", "regression": "float"}.get(task.kind, "int" if kinds == {"int"} else "str")
    if task.kind == "anomaly":
        types["prediction"] = "bool" if kinds == {"bool"} else "float"
        columns["score"] = [None if one is None or one.score is UNSET else one.score for one in given]
        types["score"] = "float"
    elif task.kind != "regression":
        for name in _classes(task, given):
            probabilities = [None if one is None else (one.probabilities or {}).get(name) for one in given]
            columns[PREFIX + name], types[PREFIX + name] = probabilities, "float"
    columns["error"] = [answer if isinstance(answer, str) else None for answer in answers]
    return columns, types | {"error": "str"}


def _classes(task: Task, answers: list[Answer | None]) -> list[str]:
    """Return the names of the classes: those that the task declares, or else those that the models know."""
    if task.kind == "binary":
        return ["false", "true"]
    if task.labels is not None:
        return [str(label) for label in task.labels]
    return list(dict.fromkeys(name for answer in answers if answer for name in answer.probabilities or ()))
