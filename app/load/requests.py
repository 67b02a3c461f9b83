"""The requests of a load: questions, samples, or questions whose labels follow, as bytes for the wire."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Literal, NamedTuple

import msgspec

from headrace.app.access import Access
from headrace.app.peers import Address
from headrace.learning.fold.generated import RowShape, samples
from headrace.learning.task import Json, Task

Kind = Literal["predict", "samples", "labels"]

ROWS = 1_000
"""The number of rows that are generated. They are sent in turn."""


class Row(NamedTuple):
    """A row of a load: features, the label if there is one, and the key that decides the shard."""

    features: Mapping[str, Json]
    label: Json = None
    key: str | None = None


class Request(NamedTuple):
    """A request: what the table calls it, its bytes, and the bytes of the label that follows it."""

    name: str
    data: bytes
    label: bytes | None = None


def generated_rows(task: Task) -> list[Row]:
    """Generate rows with the features that a task declares, the same in every run; four made-up numbers if it declares none."""
    shape = RowShape("numbers", varying=False)
    return [Row(row.features, row.label) for row in samples(task, shape, ROWS)]


class Requests:
    """Makes requests without end: the rows in turn.

    Parameters
    ----------
    task
        The task.
    kind
        `predict` asks questions, `samples` sends samples, `labels` asks questions that are logged, and each has a label.
    rows
        The rows.
    address, access
        The address of the worker, and the key that each request shows.
    """

    def __init__(self, task: Task, kind: Kind, rows: Sequence[Row], address: str, access: Access):
        self.task, self.kind, self.rows = task, kind, rows
        parsed = Address.parse(address)
        lines = {"Host": f"{parsed.host}:{parsed.port}", "Content-Type": "application/json", **access.headers}
        self._head = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
        self._run, self._numbers = secrets.token_hex(6), count()

    def __iter__(self) -> Iterator[Request]:
        if self.kind == "labels":
            while True:
                yield from map(self._question_with_label, self.rows)
        made = [self._question(row) if self.kind == "predict" else self._sample(row) for row in self.rows]
        while True:
            yield from made

    def _question(self, row: Row) -> Request:
        return Request("question", self._post("predict", {"features": row.features} | _key_of(row)))

    def _sample(self, row: Row) -> Request:
        label = {} if self.task.kind == "anomaly" else {"label": row.label}
        return Request("sample", self._post("samples", {"features": row.features} | label | _key_of(row)))

    def _question_with_label(self, row: Row) -> Request:
        name, key = f"bench-{self._run}-{next(self._numbers)}", _key_of(row)
        question = {"id": name, "features": row.features, "log": "durable"} | key
        label = {"id": name, "label": row.label} | key
        return Request("question", self._post("predict", question), self._post("labels", label))

    def _post(self, route: str, body: object) -> bytes:
        content = msgspec.json.encode(body)
        start = f"POST /v1/{self.task.name}/{route} HTTP/1.1\r\nContent-Length: {len(content)}\r\n"
        return start.encode() + self._head + b"\r\n" + content


def _key_of(row: Row) -> dict[str, Json]:
    return {} if row.key is None else {"key": row.key}
