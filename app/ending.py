"""How a worker's process ends: when it is asked to, when its loop fails, and whatever is in the way.

Faust does not end by itself where a thread of its own still runs (faust-streaming issue 324, robinhood/faust issue 484): the loop is
gone, and the consumer's thread keeps its heartbeats and its shards for ever. So the last step here is always `os._exit`.
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

log = structlog.get_logger()

STOP_SECONDS = 10.0
"""How long the orderly stop may take, all of its parts together: 6 s for the last snapshots, 1 s each to close our own clients before and
after Faust's, 2 s for Faust to leave the group."""

END_SECONDS = 12.0
"""How long after the first signal the process ends whatever is in the way, a model that never returns too: the orderly stop and a margin
for a loop that is late. Docker kills after 10 s and Kubernetes after 30 s unless told otherwise; what was not saved by then is in the log."""

BACKSTOP_SECONDS = 1.0
"""How long after that the process ends although no thread of Python can run: native code holds the interpreter's lock."""

FRAMES = 5
"""How much is logged of where a worker hangs."""

FAILED = 1
INTERRUPTED = 130
"""The exit status of a worker that was interrupted a second time, as of a shell's."""


class Service(Protocol):
    """What is run: Faust's worker."""

    loop: asyncio.AbstractEventLoop
    crash_reason: BaseException | None

    async def start(self) -> None:
        """Start, and return when it has stopped or crashed."""
        ...

    async def stop(self) -> None:
        """Stop."""
        ...


class Ending:
    """Takes SIGTERM and SIGINT, asks the loop to stop, and ends the process in time even if the loop does not.

    The signal handler runs in the main thread, also in the middle of a model that loops in Python. It only leaves a note, for a thread that
    asks the loop and counts down: the handler may have interrupted the very code that logs. Signals are not blocked, as `sigwait`
    would need: a child process would inherit that, and could not be terminated.

    Parameters
    ----------
    flush
        Called before the process ends; must return in limited time.
    seconds
        From the first request to the end.
    """

    def __init__(self, flush: Callable[[], None], seconds: float = END_SECONDS):
        self.seconds, self._flush = seconds, flush
        self._requests: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._stop: Callable[[], object] | None = None
        self._is_armed = False
        self._exiting = threading.Lock()

    def watch(self) -> None:
        """Take the signals from now on. Called from the main thread; before `attach` a signal ends the process at once."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, _: self.request(signal.Signals(number).name))
        faulthandler.register(signal.SIGUSR1, file=2)  # prints where every thread is
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    def attach(self, stop: Callable[[], object]) -> None:
        """Call this, from another thread, when the end is requested."""
        self._stop = stop

    def request(self, why: str) -> None:
        """Request the end; may be called from a signal handler, and again."""
        if not self._is_armed:
            self._is_armed = True
            with contextlib.suppress(RuntimeError):  # no thread can be started: the countdown is left
                faulthandler.dump_traceback_later(self.seconds + BACKSTOP_SECONDS, exit=True, file=2)
        self._requests.put(why)

    def exit(self, status: int) -> NoReturn:
        """Say so, and end the process. A second call waits for the first one, which ends it."""
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
        """Wait for a request, pass it on, and wait until the time is up. The exit status, if that comes before the loop's own."""
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
        log.error("the worker did not stop in time and is ended", seconds=self.seconds, where=where_main_is())
        return FAILED


def where_main_is() -> list[str]:
    """The innermost frames of the main thread: what holds up the loop."""
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 another thread's frames
    return [f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_stack(frame)[-FRAMES:]]


def run(service: Service, ending: Ending) -> int:
    """Run a service until the end is requested or the service fails, then stop it in limited time.

    SystemExit and KeyboardInterrupt break out of a loop whichever task raises them: a model that calls `sys.exit`. They request
    the end, and the loop goes on for the orderly stop.

    Returns
    -------
    int
        The exit status: 0 if the end was requested and nothing failed.
    """
    loop, asked = service.loop, asyncio.Event()
    ending.attach(lambda: loop.call_soon_threadsafe(asked.set))
    life = loop.create_task(_live(service, asked, ending))
    status = 0
    while not life.done():
        try:
            status = max(status, loop.run_until_complete(life))
        except BaseException as error:  # noqa: BLE001 whatever it is, the process must not outlive its loop
            if status == 0:
                _tell(error)
            status = FAILED
            ending.request("failure")
            asked.set()
    return status


async def _live(service: Service, asked: asyncio.Event, ending: Ending) -> int:
    running, waiting = asyncio.create_task(service.start()), asyncio.create_task(asked.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    status = 0
    if not asked.is_set():
        status = FAILED
        _tell(_error_of(running) or service.crash_reason or RuntimeError("Faust has stopped by itself"))
        ending.request("failure")
    stopping = asyncio.create_task(service.stop())
    await asyncio.wait({stopping}, timeout=STOP_SECONDS)
    if not stopping.done():
        log.warning("not everything could be stopped in time", seconds=STOP_SECONDS)
    elif error := _error_of(stopping):
        log.warning("the worker could not be stopped in order", error=repr(error))
    for task in (running, waiting):
        task.cancel()
    await asyncio.wait({running, waiting}, timeout=0.1)
    return status


def _error_of(task: asyncio.Task[None]) -> BaseException | None:
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def _tell(error: BaseException) -> None:
    log.error("the worker has failed and ends", error=repr(error), exc_info=error)
