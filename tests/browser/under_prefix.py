"""A reverse proxy that serves a worker under a prefix, which it takes off."""

import asyncio
import contextlib
import threading

import aiohttp
import harness
from aiohttp import web


@contextlib.contextmanager
def under_prefix(upstream, prefix):
    """Run the proxy in a thread of its own; its address."""
    port, loop, ready = harness.free_port(), asyncio.new_event_loop(), threading.Event()

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
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        ready.set()
        await stopping.wait()
        await runner.cleanup()

    stopping = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(10)
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(10)
