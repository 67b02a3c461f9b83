"""`GET /v1`: the tasks of this worker, a line for each."""

import asyncio

from aiohttp import web

from headrace.app.contract import contract
from headrace.app.page.summary import TaskSummaries, TaskSummary, summarise
from headrace.app.serving.serving import Serving
from headrace.app.views.resource import Resource


class Tasks(Resource):
    """The tasks of this worker."""

    @contract(role="predict", gives=TaskSummaries)
    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """List the tasks with their state, messages folded, lag and recent metric."""
        return self.answer(TaskSummaries(await summarise_all(self.serving)))


async def summarise_all(serving: Serving) -> list[TaskSummary]:
    """Summarise each task, by name. Other requests run between two of them."""
    summaries: list[TaskSummary] = []
    for _, served in sorted(serving.tasks.items()):
        summaries.append(summarise(served))
        await asyncio.sleep(0)
    return summaries
