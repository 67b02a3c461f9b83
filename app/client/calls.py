"""The requests that a worker takes, each said once for both clients: method, path, body, and the type of the answer."""

from collections.abc import Mapping, Sequence
from typing import Generic, Literal, TypedDict, TypeVar
from urllib.parse import quote

import msgspec

from headrace.app.answers import Answer, Appended, Standing, StoredEntity
from headrace.learning.task import Json, Label, Value

Given = TypeVar("Given")


class Call(msgspec.Struct, Generic[Given], frozen=True):
    """One request.

    Parameters
    ----------
    method, path
        The path is percent-encoded.
    gives
        The type of the answer.
    body
        Becomes JSON; None for a request without a body.
    query
        The parameters behind the path.
    """

    method: str
    path: str
    gives: type[Given]
    body: Json = None
    query: dict[str, str] = {}


class Asking(TypedDict, total=False):
    """What a question may have besides its features.

    `id` is answered with, and `key` is the entity's, which decides the shard. `log` appends the question to the event log, where its label
    may join it: "durable" (or True) answers when the broker has it, "async" at once. `min_position` is a position that the model must have
    folded, and `wait_s` the seconds to wait for it, up to 10.
    """

    id: str
    key: str
    log: bool | Literal["durable", "async"]
    min_position: int
    wait_s: float


class Labelling(TypedDict, total=False):
    """What a label may have besides its id: its time in epoch seconds, its source (`topic/partition/offset`), and the key of the question, if that had one."""

    time: float
    source: str
    key: str


class Sampling(Labelling, total=False):
    """What a sample may have besides features and label: an id, its time in epoch seconds, its source (`topic/partition/offset`), and the entity's key."""

    id: str


def predict(task: str, features: Mapping[str, Value], options: Asking, *, fresh: bool) -> Call[Answer]:
    """Ask one question.

    Examples
    --------
    >>> call = predict("ads", {"price": 3}, {"key": "u1"}, fresh=True)
    >>> call.method, call.path, call.query, call.body
    ('POST', '/v1/ads/predict', {'fresh': 'true'}, {'features': {'price': 3}, 'key': 'u1'})
    """
    return Call("POST", _path(task, "predict"), Answer, {"features": dict(features), **options}, _query(fresh=fresh))


def batch(task: str, questions: Sequence[Mapping[str, Json]], *, fresh: bool) -> Call[list[Answer]]:
    """Ask several questions."""
    return Call("POST", _path(task, "predict", "batch"), list[Answer], list(map(dict, questions)), _query(fresh=fresh))


def label(task: str, identity: str, value: Label, options: Labelling) -> Call[Appended]:
    """Append the label of one question."""
    return Call("POST", _path(task, "labels"), Appended, {"id": identity, "label": value, **options})


def labels(task: str, rows: Sequence[Mapping[str, Json]]) -> Call[Appended]:
    """Append the labels of several questions."""
    return Call("POST", _path(task, "labels"), Appended, list(map(dict, rows)))


def sample(task: str, features: Mapping[str, Value], value: Label, options: Sampling) -> Call[Appended]:
    """Append one sample."""
    return Call("POST", _path(task, "samples"), Appended, {"features": dict(features), "label": value, **options})


def samples(task: str, rows: Sequence[Mapping[str, Json]]) -> Call[Appended]:
    """Append several samples."""
    return Call("POST", _path(task, "samples"), Appended, list(map(dict, rows)))


def get_features(task: str, key: str) -> Call[StoredEntity]:
    """Look up the stored features of an entity."""
    return Call("GET", _path(task, "features", key), StoredEntity)


def put_features(task: str, key: str, features: Mapping[str, Value | None]) -> Call[Appended]:
    """Replace the stored features of an entity."""
    return Call("PUT", _path(task, "features", key), Appended, dict(features))


def delete_features(task: str, key: str) -> Call[Appended]:
    """Remove the stored features of an entity."""
    return Call("DELETE", _path(task, "features", key), Appended)


def status(task: str) -> Call[Standing]:
    """Ask where the shards of a task stand."""
    return Call("GET", _path(task), Standing)


def _path(*parts: str) -> str:
    """Join the parts of a path below `/v1`. A part of dots alone would be taken for a step in the path, so dots are encoded there.

    Examples
    --------
    >>> _path("ads", "features", ".."), _path("ads", "features", "a/b.c")
    ('/v1/ads/features/%2E%2E', '/v1/ads/features/a%2Fb.c')
    """
    encoded = (quote(part, safe="") if part.strip(".") else part.replace(".", "%2E") for part in parts)
    return "/".join(("/v1", *encoded))


def _query(*, fresh: bool) -> dict[str, str]:
    return {"fresh": "true"} if fresh else {}
