import asyncio

from aiokafka.client import AIOKafkaClient

class Fetcher:
    _loop: asyncio.AbstractEventLoop
    _fetch_max_wait_ms: int
    def __init__(
        self,
        client: AIOKafkaClient,
        subscriptions: object,
        *,
        key_deserializer: None = None,
        value_deserializer: None = None,
        fetch_min_bytes: int = 1,
        fetch_max_bytes: int = 52428800,
        fetch_max_wait_ms: int = 500,
        max_partition_fetch_bytes: int = 1048576,
        check_crcs: bool = True,
        fetcher_timeout: float = 0.2,
        prefetch_backoff: float = 0.1,
        retry_backoff_ms: int = 100,
        auto_offset_reset: str = "latest",
        isolation_level: str = "read_uncommitted",
        client_rack: str | None = None,
    ) -> None: ...
    async def _proc_fetch_request(self, assignment: object, node_id: int, request: object) -> bool: ...
