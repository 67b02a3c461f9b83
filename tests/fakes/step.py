"""The step of a fake: where it may take its time, fail, or end the process."""

import asyncio
from collections.abc import Awaitable, Callable

Step = Callable[[], Awaitable[None]]


async def pause() -> None:
    """Let others go on: the step of a fake that never fails."""
    await asyncio.sleep(0)
