"""Builds the calls of both clients: the method, path, query and body of a request, and the type of its answer."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypedDict, TypeVar
from urllib.parse import quote

import msgspec

from headrace.app.answers import (
    Answer,
    Appended,
    AskedQuestion,
    Controlled,
    HistoryPoints,
    Status,
    StoredEntity,
    StoredRefusals,
    StoredSignals,
    StoredVersions,
)
from headrace.learning.task import Json, Label, Value

Result = TypeVar("Result")


class Call(msgspec.Struct, Generic[Result], frozen=True):
    """A request to a worker, and the type of its answer.

    Parameters
    ----------
    method, path
        The HTTP method, and the percent-encoded path.
    gives
        The type of the answer.
    body
        The body before it is encoded as JSON; None for a request without a body.
    query
        The parameters of the query.
    """

    method: str
    path: str
    gives: type[Result]
    body: Json = None
    query: dict[str, str] = {}


class Pause(msgspec.Struct, frozen=True):
    """A step in which a client waits, since the worker has asked it to.

    Parameters
    ----------
    seconds
        How long.
    """

    seconds: float


Steps = Generator[Call[Any] | Pause, Any, Result]
"""Calls that are made one after the other, with pauses: a client hands back the answer or the error of each call, and returns the result."""


class DataFrame(Protocol):
    """A frame of pandas or polars, a table of pyarrow, or what else offers Arrow's C stream."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Give the columns in Arrow's form. The clients use it for frames that they do not recognise."""
        ...


Frame = TypeVar("Frame", bound=DataFrame)


class QuestionOptions(TypedDict, total=False):
    """The options of a question.

    `id` is the id of the question, which its answer repeats. `key` is the entity's key, which decides the shard. `log` appends the question
    to the event log, where its label may join it: with "durable" (or True) the answer comes when the broker has the question, with "async"
    at once. `min_position` is a position that the model must have folded, and `wait_s` is how many seconds to wait for it, up to 10. For a
    data frame, `id` and `key` are the names of columns.
    """

    id: str
    key: str
    log: bool | Literal["durable", "async"]
    min_position: int
    wait_s: float


class LabelOptions(TypedDict, total=False):
    """The options of a label: its time in epoch seconds, its source (`topic/partition/offset`), and the key of its question, if that has one."""

    time: float
    source: str
    key: str


class SampleOptions(LabelOptions, total=False):
    """The options of a sample: an id, its time in epoch seconds, its source (`topic/partition/offset`), and the entity's key."""

    id: str


class ColumnOptions(TypedDict, total=False):
    """The columns of a data frame that are no features: of the label, the id, the time and the key. Left out: those of the task's settings."""

    label: str
    id: str
    key: str
    time: str


def predict(task: str, features: Mapping[str, Value], options: QuestionOptions, *, fresh: bool) -> Call[Answer]:
    """Build the call that asks one question.

    Examples
    --------
    >>> call = predict("ads", {"price": 3}, {"key": "u1"}, fresh=True)
    >>> call.method, call.path, call.query, call.body
    ('POST', '/v1/ads/predict', {'fresh': 'true'}, {'features': {'price': 3}, 'key': 'u1'})
    """
    return Call("POST", _path(task, "predict"), Answer, {"features": dict(features), **options}, _query(fresh=fresh))


def batch(task: str, questions: Sequence[Mapping[str, Json]], *, fresh: bool) -> Call[list[Answer]]:
    """Build the call that asks several questions."""
    return Call("POST", _path(task, "predict", "batch"), list[Answer], list(map(dict, questions)), _query(fresh=fresh))


def label(task: str, record_id: str, value: Label, options: LabelOptions) -> Call[Appended]:
    """Build the call that appends the label of one question."""
    return Call("POST", _path(task, "labels"), Appended, {"id": record_id, "label": value, **options})


def labels(task: str, rows: Sequence[Mapping[str, Json]]) -> Call[Appended]:
    """Build the call that appends the labels of several questions."""
    return Call("POST", _path(task, "labels"), Appended, list(map(dict, rows)))


def sample(task: str, features: Mapping[str, Value], value: Label | None, options: SampleOptions) -> Call[Appended]:
    """Build the call that appends one sample, whose label is None if the task learns without labels."""
    labelled = {} if value is None else {"label": value}
    return Call("POST", _path(task, "samples"), Appended, {"features": dict(features), **labelled, **options})


def samples(task: str, rows: Sequence[Mapping[str, Json]]) -> Call[Appended]:
    """Build the call that appends several samples."""
    return Call("POST", _path(task, "samples"), Appended, list(map(dict, rows)))


def get_features(task: str, key: str) -> Call[StoredEntity]:
    """Build the call that looks up the stored features of an entity."""
    return Call("GET", _path(task, "features", key), StoredEntity)


def put_features(task: str, key: str, features: Mapping[str, Value | None]) -> Call[Appended]:
    """Build the call that replaces the stored features of an entity."""
    return Call("PUT", _path(task, "features", key), Appended, dict(features))


def delete_features(task: str, key: str) -> Call[Appended]:
    """Build the call that removes the stored features of an entity."""
    return Call("DELETE", _path(task, "features", key), Appended)


def status(task: str) -> Call[Status]:
    """Build the call that asks for the status of a task."""
    return Call("GET", _path(task), Status)


def versions(task: str) -> Call[StoredVersions]:
    """Ask for the saved models of a task."""
    return Call("GET", _path(task, "versions"), StoredVersions)


def signals(task: str) -> Call[StoredSignals]:
    """Ask for the signals of a task."""
    return Call("GET", _path(task, "drift"), StoredSignals)


def logged(task: str, record_id: str, key: str | None) -> Call[AskedQuestion]:
    """Build the call that looks up a logged question."""
    return Call("GET", _path(task, "predictions", record_id), AskedQuestion, query={} if key is None else {"key": key})


def quarantine(task: str, limit: int) -> Call[StoredRefusals]:
    """Build the call that asks for the last refused records."""
    return Call("GET", _path(task, "quarantine"), StoredRefusals, query={"limit": str(limit)})


def metrics(task: str, since: float | None, arm: str | None, metric: str | None) -> Call[HistoryPoints]:
    """Ask for the metrics of a task's arms over time.

    Examples
    --------
    >>> metrics("ads", 1767225600.0, None, "accuracy").query
    {'since': '1767225600.0', 'metric': 'accuracy'}
    """
    wanted = {"since": None if since is None else repr(since), "arm": arm, "metric": metric}
    query = {name: value for name, value in wanted.items() if value is not None}
    return Call("GET", _path(task, "metrics"), HistoryPoints, None, query)


def control(task: str, command: str, arguments: Mapping[str, Json]) -> Call[Controlled]:
    """Append a control record.

    Examples
    --------
    >>> control("ads", "rollback", {"to": "best"}).body
    {'control': 'rollback', 'to': 'best'}
    """
    return Call("POST", _path(task, "control"), Controlled, {"control": command, **arguments})


def _path(*parts: str) -> str:
    """Join the parts of a path below `/v1`, percent-encoded. The dots of a part such as `..`, which would be a step in the path, are encoded too.

    Examples
    --------
    >>> _path("ads", "features", ".."), _path("ads", "features", "a/b.c")
    ('/v1/ads/features/%2E%2E', '/v1/ads/features/a%2Fb.c')
    """
    encoded = (quote(part, safe="") if part.strip(".") else part.replace(".", "%2E") for part in parts)
    return "/".join(("/v1", *encoded))


def _query(*, fresh: bool) -> dict[str, str]:
    return {"fresh": "true"} if fresh else {}
