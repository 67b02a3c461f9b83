"""Asks a worker for all that the report of a task shows."""

from typing import NamedTuple

from headrace.app.answers import Status, StoredRefusals, StoredSignal, StoredVersion
from headrace.app.client import AccessError, Client, NotFoundError, UnavailableError
from headrace.app.client.calls import Call
from headrace.learning.task import Json


class Run(NamedTuple):
    """A run of a task, as a worker knows it now.

    Parameters
    ----------
    status
        The status of the task.
    signals, versions
        What was noticed and what was done about it, and the saved models, oldest first.
    points
        The history of the metrics, by partition, oldest first; None if the worker keeps none.
    experiments
        The comparisons of arms; None if the worker has none of them.
    refused
        Counts of refused records; None if the caller may not see them, or they cannot be read.
    """

    status: Status
    signals: list[StoredSignal]
    versions: list[StoredVersion]
    points: list[dict[str, Json]] | None
    experiments: list[dict[str, Json]] | None
    refused: StoredRefusals | None


def collect(client: Client, task: str) -> Run:
    """Ask a worker for a run.

    Raises
    ------
    ClientError
        The worker does not answer, does not know the task, or the caller may not ask.
    """
    status = client.status(task)
    try:
        refused = client.quarantine(task, limit=1)
    except (AccessError, NotFoundError, UnavailableError):
        refused = None
    return Run(
        status,
        client.signals(task),
        client.versions(task),
        _list(client, task, "metrics", "points"),
        _list(client, task, "experiments", "experiments"),
        refused,
    )


def _list(client: Client, task: str, route: str, name: str) -> list[dict[str, Json]] | None:
    """Ask for a list at a route of the task; None if the worker has no such route, or nothing there."""
    try:
        answer = client.ask(Call("GET", f"/v1/{task}/{route}", dict[str, Json]))
    except NotFoundError:
        return None
    listed: list[dict[str, Json]] | None = answer.get(name)
    return listed or None
