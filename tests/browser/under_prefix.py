"""A reverse proxy that serves a worker under a prefix, which it takes off."""

import asyncio
import contextlib
import threading
from functools import partial

import aiohttp
import harness
from aiohttp import web


@contextlib.contextmanager
def under_prefix(upstream, prefix):
    """Run the proxy in a thread of its own; its address."""
    port, ready, stop = harness.free_port(), threading.Event(), []

    async def forward(request):
        body, kept = await request.read(), {"Content-Type", "Authorization", "Accept"}
        headers = {name: value for name, value in request.headers.items() if name in kept}
        url = upstream + "/" + request.raw_path.removeprefix(prefix)
        async with (
            aiohttp.ClientSession() as session,
            session.request(request.method, url, data=body, headers=headers) as answer,
        ):
            passed = {
                name: value
                for name, value in answer.headers.items()
                if name not in ("Transfer-Encoding", "Content-Length")
            }
            response = web.StreamResponse(status=answer.status, headers=passed)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            return response

    async def serve():
        app = web.Application()
        app.router.add_route("*", prefix + "{path:.*}", forward)
        runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=0.1
        )  # a listener that leaves ends its request to the worker
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        stopping = asyncio.Event()
        stop.append(partial(asyncio.get_running_loop().call_soon_threadsafe, stopping.set))
        ready.set()
        await stopping.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield f"http://127.0.0.1:{port}"
    finally:
        for end in stop:
            end()
        thread.join(10)
