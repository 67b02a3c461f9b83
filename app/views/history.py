"""`GET /v1/{task}/metrics`: the metrics of a task's arms over time."""

import asyncio
import math
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec
from aiohttp import web

from headrace.app.answers import HistoryPoint, HistoryPoints
from headrace.app.contract import TaskMetric, contract
from headrace.app.errors import Problem
from headrace.app.views.resource import Resource
from headrace.learning.effects import ArmMeasured, Measured
from headrace.learning.errors import StoreError
from headrace.learning.metrics import METRICS
from headrace.learning.plain import plain_kind
from headrace.learning.task import CHAMPION, Kind, baselines
from headrace.tables.history import History as Table

WANTED = {"since": float, "arm": str, "metric": TaskMetric}
"""The query parameters that choose among the points and what they hold."""


class History(Resource):
    """The points of the history of all shards of a task, as `<task>.history` has them: the same from every worker."""

    @contract(role="predict", gives=HistoryPoints, problems=(404, 422, 503), parameters=WANTED)
    async def get(self, request: web.Request, task: str) -> web.Response:
        """List the points of all shards since a log time, with the metrics of all arms or of one, all metrics or one."""
        served = self.serving.task(task)
        query = request.query
        since, metric = read_since(query.get("since")), query.get("metric")
        check_metric(served.task.kind, metric)
        arms = {name for _, learner in served.shards.folded() for name in learner.state.arms}
        arms |= {CHAMPION, *baselines(served.task.kind, served.task.arms), *served.task.named_arms}
        table, arm = served.shards.collaborators.history, query.get("arm")
        try:
            body = await asyncio.to_thread(_write, table, since, arm, metric, arms)
        except (KeyError, StoreError) as error:
            detail = f"the history of task '{task}' cannot be read: {plain_kind(error)}."
            raise Problem(503, "history", detail, "Ask again in a second.", {"Retry-After": "1"}) from error
        return web.Response(body=body, content_type="application/json")


def read_since(text: str | None) -> float:
    """Read a log time in seconds; left out, the beginning. Problem 422 if it is no finite number.

    Examples
    --------
    >>> read_since("1767225600.5"), read_since(None)
    (1767225600.5, -inf)
    """
    if text is None:
        return -math.inf
    try:
        since = float(text)
    except ValueError:
        since = math.nan
    if not math.isfinite(since):
        raise Problem(422, "since", f"since is '{text[:80]}', which is no number.", "Send seconds since the epoch.")
    return since


def check_metric(kind: Kind, metric: str | None) -> None:
    """Raise Problem 422 if a task of a kind has no such metric."""
    known = METRICS.of_kind(kind)
    if metric is not None and metric not in known:
        detail = f"a {kind} task has no metric '{metric[:80]}'."
        raise Problem(422, "metric", detail, f"Use one of {', '.join(known)}.")


def check_arm(arm: str, known: Collection[str]) -> None:
    """Raise Problem 404 if none of these arms has this name."""
    if arm not in known:
        names = sorted(known, key=lambda name: (name != CHAMPION, name))
        raise Problem(404, "unknown_arm", f"the task has no arm '{arm[:80]}'.", f"Use one of {', '.join(names)}.")


def choose(points: Iterable[Measured], since: float, arm: str | None, metric: str | None) -> Iterator[HistoryPoint]:
    """Choose points, and what they hold; a point that has nothing of it is left out.

    Parameters
    ----------
    points
        The points.
    since
        The earliest log time, in seconds.
    arm, metric
        The only arm, and the only metric; None for all. Evidence and experiments stay as they are.
    """
    for point in points:
        if point.time < since:
            continue
        arms = {name: _choose_metric(one, metric) for name, one in point.arms.items() if arm in (None, name)}
        if arms:
            yield HistoryPoint(
                point.partition,
                point.time,
                point.position,
                point.updates,
                point.label_delay_s,
                arms,
                point.evidence,
                point.experiments,
            )


def _choose_metric(arm: ArmMeasured, metric: str | None) -> ArmMeasured:
    return arm if metric is None else ArmMeasured(arm.scored, _only(arm.metrics, metric), _only(arm.window, metric))


def _only(figures: Mapping[str, float | None], metric: str) -> dict[str, float | None]:
    return {metric: figures[metric]} if metric in figures else {}


def _write(table: Table, since: float, arm: str | None, metric: str | None, arms: Collection[str]) -> bytes:
    """Read, choose and encode the points. It is called in a thread, so that requests are answered meanwhile.

    `arms` are those that there are; the points have those that there were, too.
    """
    points = table.points()
    if arm is not None:
        check_arm(arm, {*arms, *(name for point in points for name in point.arms)})
    return msgspec.json.encode(HistoryPoints(list(choose(points, since, arm, metric))))
