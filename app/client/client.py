"""A client of a worker over HTTP, for programs without an event loop."""

import ssl
import time
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


class Client:
    """Asks a worker over HTTP, and sends it samples, labels and stored features. Threads may share a client.

    Use it in a `with` statement, or call `close`: it keeps connections open between calls.

    Parameters
    ----------
    address
        The address of the worker, such as `http://127.0.0.1:6066`.
    key
        The API key that each request shows. None takes the key in the environment variable HEADRACE_KEY, if it is set.
    tls
        The context that checks the worker's certificate. None trusts the system's certificates.
    timeout
        The seconds that connecting, sending and each wait for bytes may take, or an `httpx.Timeout`.
    transport
        Replaces the network, for tests.

    Raises
    ------
    ClientError
        The address is no URL, or the key cannot be sent. Every method raises `UnreachableError` if no worker answers,
        `UnexpectedAnswerError` if another server answers, and a `RefusedError` with status, code, detail and remedy if the worker refuses
        the request: `InvalidRequestError`, `AccessError`, `NotFoundError`, `ConflictError`, `RateError` or `UnavailableError`. All are
        subclasses of `ClientError`.

    Examples
    --------
    A function replaces the network, so that the example needs no worker:

    >>> def worker(request):
    ...     if request.url.path != "/v1/ads/predict":
    ...         problem = {"status": 404, "code": "unknown_task", "detail": "there is no task 'adds'.", "remedy": "Tasks here: ads."}
    ...         return httpx.Response(404, json=problem)
    ...     answer = {"id": "q1", "prediction": True, "probabilities": {"false": 0.25, "true": 0.75}}
    ...     return httpx.Response(200, json=answer | {"arm": "champion", "version": None, "position": 7, "staleness_s": 0.1})
    >>> with Client(transport=httpx.MockTransport(worker)) as client:
    ...     answer = client.predict("ads", {"price": 3.5}, key="u1")
    ...     print(answer.prediction, answer.probabilities["true"], answer.position)
    ...     client.predict("adds", {"price": 3.5})
    Traceback (most recent call last):
    ...
    headrace.app.client.errors.NotFoundError: there is no task 'adds'. Tasks here: ads.
    """

    def __init__(
        self,
        address: str = ADDRESS,
        *,
        key: str | None = None,
        tls: ssl.SSLContext | None = None,
        timeout: float | httpx.Timeout = TIMEOUT,
        transport: httpx.BaseTransport | None = None,
    ):
        self._exchange = Exchange(address, key, tls)
        self._http = httpx.Client(**self._exchange.options(timeout), transport=transport)

    @overload
    def predict(
        self, task: str, features: Mapping[str, Value], *, fresh: bool = False, **options: Unpack[calls.QuestionOptions]
    ) -> Answer: ...

    @overload
    def predict(
        self,
        task: str | Task,
        features: calls.Frame,
        *,
        fresh: bool = False,
        **options: Unpack[calls.QuestionOptions],
    ) -> calls.Frame: ...

    @overload
    def predict(
        self,
        task: str | Task,
        features: Sequence[Mapping[str, Any]],
        *,
        fresh: bool = False,
        **options: Unpack[calls.QuestionOptions],
    ) -> list[dict[str, Any]]: ...

    def predict(
        self, task: str | Task, features: Any, *, fresh: bool = False, **options: Unpack[calls.QuestionOptions]
    ) -> Any:
        """Ask for a prediction from some features, or for one for each row of a data frame.

        Parameters
        ----------
        task
            The name of the task. For a data frame, a `Task` does too; then the worker is not asked for its settings.
        features
            The features, by name; or a frame of pandas, polars or pyarrow, or a list of dicts.
        fresh
            Whether only the owner of the shard may answer, and only when it has caught up with the log.
        options
            `id`, `key`, `log`, `min_position` and `wait_s`; see `QuestionOptions`. For a data frame, `id` and `key` name columns.

        Returns
        -------
        The answer; or a frame of the same library with as many rows, in the same order and with the same index: `prediction`, a column
        `probability_<label>` for each class, and `error`, with the reason where a row was refused. With `log`, the column `id` has the ids
        of the questions. The label's column is no feature, if the frame has it.

        Raises
        ------
        ClientError
            The worker gives no answer; see the class.
        """
        if isinstance(features, Mapping):
            name = task.name if isinstance(task, Task) else task
            return self.ask(calls.predict(name, features, options, fresh=fresh))
        from headrace.app.client.frames import predicting

        return self._take(predicting(task, features, fresh=fresh, options=options))

    def batch(self, task: str, questions: Sequence[Mapping[str, Json]], *, fresh: bool = False) -> list[Answer]:
        """Ask up to a thousand questions, each like `{"features": {...}, "key": "u1"}`, and return the answers in that order.

        Raises
        ------
        ClientError
            The worker gives no answers. It refuses all questions if one of them is wrong.
        """
        return self.ask(calls.batch(task, questions, fresh=fresh))

    def label(self, task: str, record_id: str, label: Label, **options: Unpack[calls.LabelOptions]) -> At:
        """Append the label of a logged question, and return the label's place in the log when the broker has it.

        Parameters
        ----------
        task
            The name of the task.
        record_id
            The id of the question.
        label
            The true label, or the true number of a regression.
        options
            `time`, `source`, and `key` if the question had one; see `LabelOptions`.

        Raises
        ------
        ClientError
            The label may not be in the log.
        """
        return self.ask(calls.label(task, record_id, label, options)).positions[0]

    def labels(self, task: str, labels: Sequence[Mapping[str, Json]]) -> Appended:
        """Append up to a thousand labels, each like `{"id": "q1", "label": True}`, and return their places in the log.

        Raises
        ------
        ClientError
            The records may not be in the log. If one of them is wrong, the worker appends none.
        """
        return self.ask(calls.labels(task, labels))

    def sample(
        self,
        task: str,
        features: Mapping[str, Value],
        label: Label | None = None,
        **options: Unpack[calls.SampleOptions],
    ) -> At:
        """Append a sample, and return its place in the log when the broker has it.

        Parameters
        ----------
        task
            The name of the task.
        features
            The features, by name.
        label
            The true label, or the true number of a regression. A task of anomalies needs none.
        options
            `id`, `key`, `time` and `source`; see `SampleOptions`.

        Raises
        ------
        ClientError
            The sample may not be in the log.
        """
        return self.ask(calls.sample(task, features, label, options)).positions[0]

    def samples(self, task: str, samples: Sequence[Mapping[str, Json]]) -> Appended:
        """Append up to a thousand samples, each like `{"features": {...}, "label": True}`, and return their places in the log.

        Raises
        ------
        ClientError
            The records may not be in the log. If one of them is wrong, the worker appends none.
        """
        return self.ask(calls.samples(task, samples))

    def send(
        self,
        task: str | Task,
        frame: calls.DataFrame | Sequence[Mapping[str, Any]],
        **columns: Unpack[calls.ColumnOptions],
    ) -> Sent:
        """Append a sample for each row of a data frame, in batches of up to a thousand, and return what became of the rows.

        Rows become samples as those of a file do in `headrace send`: a missing value is a feature that the sample lacks, and a date is a
        number of seconds. A row that is no sample of the task, or that has no label yet, is refused, and the others are appended.

        Parameters
        ----------
        task
            The name of the task. With a `Task` in its place the worker is not asked for its settings, which needs the role `predict`.
        frame
            A frame of pandas, polars or pyarrow, or a list of dicts. The index of a frame of pandas is no column.
        columns
            `label`, `id`, `key` and `time`, the names of columns; see `ColumnOptions`. Left out: those that the worker's settings name, and
            `label` for the label.

        Raises
        ------
        ClientError
            A `FrameError` if the frame cannot be read or lacks a column. Otherwise a request has failed: `sent` of the error says what had
            become of the rows before, and `frame[error.sent.rows:]` is the rest.

        Examples
        --------
        >>> import json
        >>> def worker(request):
        ...     places = [{"partition": 0, "offset": offset} for offset, _ in enumerate(json.loads(request.content))]
        ...     return httpx.Response(202, json={"positions": places})
        >>> rows = [{"price": 3.5, "bought": "yes"}, {"price": None, "bought": "no"}, {"price": 2.5, "bought": None}]
        >>> with Client(transport=httpx.MockTransport(worker)) as client:
        ...     print(client.send(Task(name="ads", kind="binary"), rows, label="bought"))
        2 of 3 rows appended, 1 refused. Row 2: the label is missing. Send the row when its label is known.
        """
        from headrace.app.client.frames import sending
        from headrace.app.files.sources import Named

        return self._take(sending(task, frame, Named(**columns)))

    def task(self, name: str) -> Task:
        """Ask for a task as the settings of the worker declare it, to fold a data frame by the same definition.

        Raises
        ------
        ClientError
            The worker gives no status, or is of another version.
        """
        from headrace.app.client.frames import knowing

        return self._take(knowing(name))

    def get_features(self, task: str, key: str) -> StoredEntity:
        """Look up the stored features of an entity, with the age of each.

        Raises
        ------
        ClientError
            A `NotFoundError` if the entity or the task has no stored features.
        """
        return self.ask(calls.get_features(task, key))

    def put_features(self, task: str, key: str, features: Mapping[str, Value | None]) -> At:
        """Replace the stored features of an entity, and return their place in the topic when the broker has them.

        Raises
        ------
        ClientError
            The features may not be stored.
        """
        return self.ask(calls.put_features(task, key, features)).positions[0]

    def delete_features(self, task: str, key: str) -> At:
        """Remove the stored features of an entity, if it has any.

        Raises
        ------
        ClientError
            The features may still be stored.
        """
        return self.ask(calls.delete_features(task, key)).positions[0]

    def status(self, task: str) -> Status:
        """Ask for the status of a task: position, end, digest and metrics of each shard that the worker knows.

        Raises
        ------
        ClientError
            The worker gives no status; see the class.
        """
        return self.ask(calls.status(task))

    def versions(self, task: str) -> list[StoredVersion]:
        """Ask for the saved models to which the shards of a task can go back, oldest first."""
        return self.ask(calls.versions(task)).versions

    def signals(self, task: str) -> list[StoredSignal]:
        """Ask for what detectors and guards have noticed, and what was done about it, oldest first."""
        return self.ask(calls.signals(task)).signals

    def logged(self, task: str, record_id: str, key: str | None = None) -> AskedQuestion:
        """Look up a logged question: its features, what each arm predicted, and its label if that has come.

        Parameters
        ----------
        task
            The name of the task.
        record_id
            The id of the question.
        key
            The key of the question, if it had one: then only its shard is asked.

        Raises
        ------
        ClientError
            A `NotFoundError` if the question was never logged, is not folded yet, or is no longer kept.
        """
        return self.ask(calls.logged(task, record_id, key))

    def quarantine(self, task: str, limit: int = 100) -> StoredRefusals:
        """Ask for the last refused records of a task, newest first, and how many there are for each reason."""
        return self.ask(calls.quarantine(task, limit))

    def metrics(
        self, task: str, *, since: float | None = None, arm: str | None = None, metric: str | None = None
    ) -> list[HistoryPoint]:
        """Ask for the metrics of a task's arms over time, by shard and oldest first.

        Parameters
        ----------
        task
            Its name.
        since
            The earliest log time, in seconds since the epoch; left out, as far back as the history goes.
        arm, metric
            The only arm, and the only metric; left out, all of them.

        Raises
        ------
        ClientError
            The task has no such arm, one of this kind has no such metric, or the worker gives no answer; see the class.
        """
        return self.ask(calls.metrics(task, since, arm, metric)).points

    def control(self, task: str, command: str, /, **arguments: Json) -> Controlled:
        """Append a control record to every shard, and wait until the shards have come to it.

        Parameters
        ----------
        task
            Its name.
        command
            Such as `checkpoint` or `rollback`; docs/reference.md has all.
        arguments
            What the command takes; `id`, `by`; `partitions` for some shards only; `wait_s`, how long to wait for them, up to 60 s.

        Returns
        -------
        The record's id, and what each shard did: None of one that has not come to it in time.

        Raises
        ------
        ClientError
            It is not known to be in the log.
        """
        return self.ask(calls.control(task, command, arguments))

    def ask(self, call: calls.Call[Result]) -> Result:
        """Make any call; the methods above are the usual ones.

        Raises
        ------
        ClientError
            The worker gives no answer; see the class.
        """
        try:
            response = self._http.request(**self._exchange.request(call))
        except httpx.RequestError as error:
            raise self._exchange.unreachable(error) from error
        return self._exchange.read(call, response)

    def _take(self, steps: Steps[Result]) -> Result:
        """Make one call after the other, wait where a step says so, and return the result of all."""
        try:
            step = next(steps)
            while True:
                if isinstance(step, calls.Pause):
                    time.sleep(step.seconds)
                    step = next(steps)
                    continue
                try:
                    answer = self.ask(step)
                except ClientError as error:
                    step = steps.throw(error)
                else:
                    step = steps.send(answer)
        except StopIteration as done:
            result: Result = done.value
            return result

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
