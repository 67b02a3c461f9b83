"""A client of a worker over HTTP, for programs with an event loop."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack, overload

import httpx

from headrace.app.answers import (
    Answer,
    Appended,
    AskedQuestion,
    At,
    Controlled,
    HistoryPoint,
    Status,
    StoredEntity,
    StoredRefusals,
    StoredSignal,
    StoredVersion,
)
from headrace.app.client import calls
from headrace.app.client.calls import Result, Steps
from headrace.app.client.errors import ClientError
from headrace.app.client.exchange import ADDRESS, TIMEOUT, Exchange
from headrace.app.client.sent import Sent
from headrace.learning.task import Json, Label, Task, Value


class AsyncClient:
    """Asks a worker over HTTP as `Client` does, with methods to await. Its parameters and errors are those of `Client`.

    Use it in an `async with` statement, or await `close`: it keeps connections open between calls.

    Parameters
    ----------
    address, key, tls, timeout, transport
        As of `Client`.

    Raises
    ------
    ClientError
        As of `Client`.

    Examples
    --------
    A function replaces the network, so that the example needs no worker:

    >>> import asyncio
    >>> async def main():
    ...     appended = {"positions": [{"partition": 0, "offset": 41}]}
    ...     network = httpx.MockTransport(lambda request: httpx.Response(202, json=appended))
    ...     async with AsyncClient(transport=network) as client:
    ...         print(await client.label("ads", "q1", True))
    >>> asyncio.run(main())
    At(partition=0, offset=41)
    """

    def __init__(
        self,
        address: str = ADDRESS,
        *,
        key: str | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ):
        self._exchange = Exchange(address, key, tls)
        self._http = httpx.AsyncClient(**self._exchange.options(timeout), transport=transport)

    @overload
    async def predict(
        self, task: str, features: Mapping[str, Value], *, fresh: bool = False, **options: Unpack[calls.QuestionOptions]
    ) -> Answer: ...

    @overload
    async def predict(
        self,
        task: str | Task,
        features: calls.Frame,
        *,
        fresh: bool = False,
        **options: Unpack[calls.QuestionOptions],
    ) -> calls.Frame: ...

    @overload
    async def predict(
        self,
        task: str | Task,
        features: Sequence[Mapping[str, Any]],
        *,
        fresh: bool = False,
        **options: Unpack[calls.QuestionOptions],
    ) -> list[dict[str, Any]]: ...

    async def predict(
        self, task: str | Task, features: Any, *, fresh: bool = False, **options: Unpack[calls.QuestionOptions]
    ) -> Any:
        """Ask for a prediction from some features, or for one for each row of a data frame."""
        if isinstance(features, Mapping):
            name = task.name if isinstance(task, Task) else task
            return await self.ask(calls.predict(name, features, options, fresh=fresh))
        from headrace.app.client.frames import predicting

        return await self._take(predicting(task, features, fresh=fresh, options=options))

    async def batch(self, task: str, questions: Sequence[Mapping[str, Json]], *, fresh: bool = False) -> list[Answer]:
        """Ask up to a thousand questions, each like `{"features": {...}, "key": "u1"}`, and return the answers in that order."""
        return await self.ask(calls.batch(task, questions, fresh=fresh))

    async def label(self, task: str, record_id: str, label: Label, **options: Unpack[calls.LabelOptions]) -> At:
        """Append the label of a logged question, and return the label's place in the log when the broker has it."""
        appended = await self.ask(calls.label(task, record_id, label, options))
        return appended.positions[0]

    async def labels(self, task: str, labels: Sequence[Mapping[str, Json]]) -> Appended:
        """Append up to a thousand labels, each like `{"id": "q1", "label": True}`, and return their places in the log."""
        return await self.ask(calls.labels(task, labels))

    async def sample(
        self,
        task: str,
        features: Mapping[str, Value],
        label: Label | None = None,
        **options: Unpack[calls.SampleOptions],
    ) -> At:
        """Append a sample, and return its place in the log when the broker has it."""
        appended = await self.ask(calls.sample(task, features, label, options))
        return appended.positions[0]

    async def samples(self, task: str, samples: Sequence[Mapping[str, Json]]) -> Appended:
        """Append up to a thousand samples, each like `{"features": {...}, "label": True}`, and return their places in the log."""
        return await self.ask(calls.samples(task, samples))

    async def send(
        self,
        task: str | Task,
        frame: calls.DataFrame | Sequence[Mapping[str, Any]],
        **columns: Unpack[calls.ColumnOptions],
    ) -> Sent:
        """Append a sample for each row of a data frame, and return what became of the rows."""
        from headrace.app.client.frames import sending
        from headrace.app.files.sources import Named

        return await self._take(sending(task, frame, Named(**columns)))

    async def task(self, name: str) -> Task:
        """Ask for a task as the settings of the worker declare it, to fold a data frame by the same definition."""
        from headrace.app.client.frames import knowing

        return await self._take(knowing(name))

    async def get_features(self, task: str, key: str) -> StoredEntity:
        """Look up the stored features of an entity, with the age of each."""
        return await self.ask(calls.get_features(task, key))

    async def put_features(self, task: str, key: str, features: Mapping[str, Value | None]) -> At:
        """Replace the stored features of an entity, and return their place in the topic when the broker has them."""
        appended = await self.ask(calls.put_features(task, key, features))
        return appended.positions[0]

    async def delete_features(self, task: str, key: str) -> At:
        """Remove the stored features of an entity, if it has any."""
        appended = await self.ask(calls.delete_features(task, key))
        return appended.positions[0]

    async def status(self, task: str) -> Status:
        """Ask for the status of a task: position, end, digest and metrics of each shard that the worker knows."""
        return await self.ask(calls.status(task))

    async def versions(self, task: str) -> list[StoredVersion]:
        """Ask for the saved models to which the shards of a task can go back, oldest first."""
        return (await self.ask(calls.versions(task))).versions

    async def signals(self, task: str) -> list[StoredSignal]:
        """Ask for what detectors and guards have noticed, and what was done about it, oldest first."""
        return (await self.ask(calls.signals(task))).signals

    async def logged(self, task: str, record_id: str, key: str | None = None) -> AskedQuestion:
        """Look up a logged question: its features, what each arm predicted, and its label if that has come."""
        return await self.ask(calls.logged(task, record_id, key))

    async def quarantine(self, task: str, limit: int = 100) -> StoredRefusals:
        """Ask for the last refused records of a task, newest first, and how many there are for each reason."""
        return await self.ask(calls.quarantine(task, limit))

    async def metrics(
        self, task: str, *, since: float | None = None, arm: str | None = None, metric: str | None = None
    ) -> list[HistoryPoint]:
        """Ask for the metrics of a task's arms over time, by shard and oldest first."""
        return (await self.ask(calls.metrics(task, since, arm, metric))).points

    async def control(self, task: str, command: str, /, **arguments: Json) -> Controlled:
        """Append a control record to every shard, and wait until the shards have come to it."""
        return await self.ask(calls.control(task, command, arguments))

    async def ask(self, call: calls.Call[Result]) -> Result:
        """Make any call; the methods above are the usual ones."""
        try:
            response = await self._http.request(**self._exchange.request(call))
        except httpx.RequestError as error:
            raise self._exchange.unreachable(error) from error
        return self._exchange.read(call, response)

    async def _take(self, steps: Steps[Result]) -> Result:
        """Make one call after the other, wait where a step says so, and return the result of all."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, calls.Pause):
                    await asyncio.sleep(step.seconds)
                    step = next(steps)
                    continue
                try:
                    answer = await self.ask(step)
                except ClientError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            result: Result = done.value
            return result

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
