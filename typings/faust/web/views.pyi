from collections.abc import Awaitable, Callable, Mapping

from aiohttp.web import Request, StreamResponse
from faust.app import App
from faust.web.base import Web

# Faust hands the requests of its driver on as they are: aiohttp's.
class View:
    app: App
    view_name: str
    view_path: str
    methods: Mapping[str, Callable[..., Awaitable[StreamResponse]]]
    def __init__(self, app: App, web: Web) -> None: ...
    def get_methods(self) -> set[str]: ...
    async def __call__(self, request: Request) -> StreamResponse: ...
