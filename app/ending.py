"""Ends a worker's process in limited time: when a signal requests it, when the loop fails, and even if a model never returns.

Faust does not end by itself if one of its threads still runs (faust-streaming issue 324, robinhood/faust issue 484): after the loop has
ended, the consumer's thread sends heartbeats and keeps its shards for ever. So the last step here is always `os._exit`.
"""

import asyncio
import contextlib
import faulthandler
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import NoReturn, Protocol

import structlog

from headrace.learning.plain import plain_error

log = structlog.get_logger()

STOP_SECONDS = 10.0
"""How long the orderly stop may take as a whole: 6 s for the last snapshots, 1 s to close our own clients before Faust's clients and 1 s
after them, 2 s for Faust to leave the group."""

END_SECONDS = 12.0
"""How long after the first signal the process ends in any case, even if a model never returns: the orderly stop, and a margin for a loop
that is late. By default Docker kills after 10 s and Kubernetes after 30 s. Records that no snapshot covers by then are still in the log."""

BACKSTOP_SECONDS = 1.0
"""How long after END_SECONDS the process ends if no Python thread can run, because native code holds the interpreter's lock."""

FRAMES = 5
"""The number of stack frames that are logged if a worker hangs."""

FAILED = 1
INTERRUPTED = 130
"""The exit status of a worker that was interrupted a second time, as in a shell."""


class Service(Protocol):
    """The service that `run` runs: Faust's worker."""

    loop: asyncio.AbstractEventLoop
    crash_reason: BaseException | None

    async def start(self) -> None:
        """Start the service, and return when it has stopped or crashed."""
        ...

    async def stop(self) -> None:
        """Stop the service."""
        ...


class Ending:
    """Handles SIGTERM and SIGINT: asks the loop to stop, and ends the process in time even if the loop does not stop.

    The signal handler runs in the main thread, even while a model loops in Python, and may interrupt the code that logs. So it only puts the
    request into a queue, from which a thread reads: the thread asks the loop to stop and counts down. `sigwait` in a thread is no
    alternative: it needs blocked signals, which a child process would inherit, so that it could not be terminated.

    Parameters
    ----------
    flush
        Called before the process ends; must return in limited time.
    seconds
        The time from the first request to the end.
    """

    def __init__(self, flush: Callable[[], None], seconds: float = END_SECONDS):
        self.seconds, self._flush = seconds, flush
        self._requests: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stop: Callable[[], object] | None = None
        self._is_armed = False
        self._exiting = threading.Lock()

    def watch(self) -> None:
        """Install the signal handlers. Call it from the main thread. Until `attach` is called, a signal ends the process at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: self.request(signal.Signals(number).name))
        faulthandler.register(signal.SIGUSR1, file=2)  # prints the stack of every thread
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def attach(self, stop: Callable[[], object]) -> None:
        """Set the function to call, from another thread, when the end is requested."""
        self._stop = stop

    def request(self, why: str) -> None:
        """Request the end. It may be called from a signal handler, and more than once."""
        if not self._is_armed:
            self._is_armed = True
            with contextlib.suppress(RuntimeError):  # no thread can be started: only the countdown ends the process
                faulthandler.dump_traceback_later(self.seconds + BACKSTOP_SECONDS, exit=True, file=2)
        self._requests.put(why)

    def exit(self, status: int) -> NoReturn:
        """Log the end, and end the process. A second call waits for the first one, which ends the process."""
        self._exiting.acquire()
        try:
            log.info("stopped", status=status)
            self._flush()
        finally:
            os._exit(status)

    def _watch(self) -> None:
        status = FAILED
        try:
            status = self._count_down()
        finally:
            self.exit(status)

    def _count_down(self) -> int:
        """Wait for a request, ask the loop to stop, wait until the time is up, and return the exit status for a loop that has not stopped."""
        why = self._requests.get()
        until = time.monotonic() + self.seconds
        log.info("stopping", why=why)
        if self._stop is None:  # there is no loop yet, and nothing to save
            return 0
        self._stop()
        while (left := until - time.monotonic()) > 0:
            with contextlib.suppress(queue.Empty):
                if self._requests.get(timeout=left) == "SIGINT":
                    return INTERRUPTED
        log.error("the worker did not stop in time and is ended", seconds=self.seconds, where=main_thread_frames())
        return FAILED


def main_thread_frames() -> list[str]:
    """Return the innermost stack frames of the main thread, which show what blocks the loop."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 another thread's frames
    return [f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_stack(frame)[-FRAMES:]]


def run(service: Service, ending: Ending) -> int:
    """Run a service until the end is requested or the service fails, then stop it in limited time.

    SystemExit and KeyboardInterrupt end an event loop whichever task raises them, for example a model that calls `sys.exit`. Here they
    request the end, and the loop runs on for the orderly stop.

    Returns
    -------
    int
        The exit status: 0 if the end was requested and nothing failed.
    """
    loop, requested = service.loop, asyncio.Event()
    ending.attach(lambda: loop.call_soon_threadsafe(requested.set))
    running = loop.create_task(_run_and_stop(service, requested, ending))
    status = 0
    while not running.done():
        try:
            status = max(status, loop.run_until_complete(running))
        except BaseException as error:  # noqa: BLE001 after any error, the process must not outlive its loop
            if status == 0:
                _log_failure(error)
            status = FAILED
            ending.request("failure")
            requested.set()
    return status


async def _run_and_stop(service: Service, requested: asyncio.Event, ending: Ending) -> int:
    running, waiting = asyncio.create_task(service.start()), asyncio.create_task(requested.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    status = 0
    if not requested.is_set():
        status = FAILED
        _log_failure(_error_of(running) or service.crash_reason or RuntimeError("Faust has stopped by itself"))
        ending.request("failure")
    stopping = asyncio.create_task(service.stop())
    await asyncio.wait({stopping}, timeout=STOP_SECONDS)
    if not stopping.done():
        log.warning("not everything could be stopped in time", seconds=STOP_SECONDS)
    elif error := _error_of(stopping):
        log.warning("the worker could not be stopped in order", error=plain_error(error))
    for task in (running, waiting):
        task.cancel()
    await asyncio.wait({running, waiting}, timeout=0.1)
    return status


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def _log_failure(error: BaseException) -> None:
    log.error("the worker has failed and ends", error=plain_error(error), exc_info=error)
