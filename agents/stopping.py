"""Stopping many parts: all at once, in limited time, and none keeps another from it."""

import asyncio
from collections.abc import Coroutine, Iterable

import structlog

log = structlog.get_logger()


async def stop_all(parts: Iterable[tuple[str, Coroutine[None, None, object]]], seconds: float) -> None:
    """Run the stops of some parts at once and wait for all, at most so long. Logs those that fail or are late; raises nothing of theirs.

    Parameters
    ----------
    parts
        A name for the log, and the stop.
    seconds
        The limit. What is late is cancelled and not waited for: it may be waiting for a broker that is away.
    """
    names = {asyncio.create_task(stop): name for name, stop in parts}
    if not names:
        return
    done, late = await asyncio.wait(names, timeout=seconds)
    for task in late:
        task.cancel()
        log.warning("could not be stopped in time", part=names[task], seconds=seconds)
    for task in done:
        error = None if task.cancelled() else task.exception()
        if error is not None or task.cancelled():
            log.warning("could not be stopped in order", part=names[task], error=repr(error or "cancelled"))
