"""Stops many parts at once, in limited time, so that a part that hangs or fails does not hold up the others."""

import asyncio
from collections.abc import Coroutine, Iterable

import structlog

from headrace.learning.plain import plain_error

log = structlog.get_logger()


async def stop_all(parts: Iterable[tuple[str, Coroutine[None, None, object]]], seconds: float) -> None:
    """Run the stop coroutines of some parts at once and wait for all. Logs those that fail or are late, and raises none of their errors.

    Parameters
    ----------
    parts
        For each part its name in the log and its stop coroutine.
    seconds
        The longest wait. A late coroutine is cancelled and not waited for: it may be waiting for a broker that is away.
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
            log.warning(
                "could not be stopped in order", part=names[task], error=plain_error(error) if error else "cancelled"
            )
