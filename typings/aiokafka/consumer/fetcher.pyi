import asyncio

class Fetcher:
    _loop: asyncio.AbstractEventLoop
    _fetch_max_wait_ms: int
    def __init__(self, *arguments: object, **options: object) -> None: ...
    async def _proc_fetch_request(self, assignment: object, node_id: int, request: object) -> bool: ...
