"""The page: `GET /`, `/tasks/{task}`, its files, and the live feed of a task."""

import msgspec
from aiohttp import web

from headrace.app.contract import contract
from headrace.app.errors import Problem
from headrace.app.page import live
from headrace.app.page.assets import FOREVER, HEADERS
from headrace.app.page.render import Shell, render_task, render_tasks
from headrace.app.page.summary import summarise
from headrace.app.views.resource import Resource
from headrace.app.views.tasks import summarise_all


class HtmlPage(Resource):
    """A page of HTML. It is open to everyone like `/healthz`: where the worker asks for keys, the HTML says nothing of any task."""

    def shell(self, root: str) -> Shell:
        """Return what both pages have in common; `root` is the relative URL of `/`."""
        page = self.wiring.page
        return Shell(root, page.assets.digest, page.is_guarded)

    @staticmethod
    def html(text: str) -> web.Response:
        """Make a response of HTML. No cache keeps it, since it shows figures of now."""
        headers = {**HEADERS, "Cache-Control": "no-store"}
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)


class TasksPage(HtmlPage):
    """The page with the list of all tasks."""

    @contract(role=None, gives=str, media="text/html")
    async def get(self, request: web.Request) -> web.Response:  # noqa: ARG002
        """Show all tasks of this worker, as HTML."""
        tasks = [] if self.wiring.page.is_guarded else await summarise_all(self.serving)
        return self.html(render_tasks(self.shell("./"), tasks))


class TaskPage(HtmlPage):
    """The page of one task."""

    @contract(role=None, gives=str, media="text/html", problems=(404,))
    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """Show a task, as HTML. Where the worker asks for keys, the page is the same for every name, and asks for a key itself."""
        summary = None if self.wiring.page.is_guarded else summarise(self.serving.task(task))
        return self.html(render_task(self.shell("../"), task, summary))


class PageFile(Resource):
    """The styles, scripts and pictures of the page, which say nothing of any task."""

    @contract(role=None, gives=str, media="*/*", problems=(404,))
    async def get(self, request: web.Request, digest: str, name: str) -> web.StreamResponse:
        """Return a file of the page. Its URL contains the digest of all files, so it may be cached for good."""
        assets = self.wiring.page.assets
        asset = assets.files.get(name)
        if asset is None:
            raise Problem(404, "not_found", "the page has no such file.", "Load the page again.")
        # During an upgrade a browser may ask this worker for the file of another version: it must not keep this one.
        kept = FOREVER if digest == assets.digest else "no-store"
        headers = {**HEADERS, "Cache-Control": kept, "ETag": f'"{assets.digest}"', "Content-Type": asset.content_type}
        if request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=asset.body, headers=headers)


class LiveFeed(Resource):
    """The figures of a task that move from second to second."""

    @contract(role="predict", gives=live.Live, media="text/event-stream", problems=(503,))
    async def get(self, request: web.Request, task: str) -> web.StreamResponse:
        """Send a server-sent event each second with position, lag, recent metrics and evidence of every shard, until the caller leaves."""
        served = self.serving.task(task)

        async def tell() -> bytes:
            return msgspec.json.encode(await live.tell(served))

        return await self.wiring.page.feeds.send(request, task, tell)
