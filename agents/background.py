"""What runs in the background: tasks for as long as their worker runs, and errands. Their failures are counted, and none ends unseen."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Literal

import msgspec
import structlog

log = structlog.get_logger()

BACKOFF_SECONDS = 0.5
BACKOFF_MAX_SECONDS = 30.0
"""A task that fails again is started after twice the time, up to this."""

CALM_SECONDS = 60.0
"""A task that ran for so long begins with the shortest wait again."""

CANCEL_SECONDS = 0.1
"""After which a task that has not ended is cancelled again."""

State = Literal["running", "waiting", "ended", "stopped"]


class BackgroundStatus(msgspec.Struct, frozen=True):
    """How a background task is: `waiting` to be started again, `ended` by itself as it should, or `stopped` by its worker."""

    name: str
    state: State
    failures: int
    error: str | None


class Background:
    """Runs a coroutine in a task, and again after a pause whenever it raises.

    A task that dies is otherwise noticed by nobody: what it did is no longer done, and everything else goes on. Whatever it raises counts
    as a failure, also SystemExit, a Rust panic, and a CancelledError that is not of `stop`: it may be a model's. A coroutine that
    returns has ended as it should.

    Parameters
    ----------
    name
        For the log and the status.
    run
        Makes the coroutine.
    sleep, clock
        Pauses; seconds that never go back.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], Coroutine[None, None, object]],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] | None = None,
    ):
        self.name, self.failures = name, 0
        self.state: State = "stopped"
        self.error: str | None = None
        self._run, self._sleep, self._clock = run, sleep, clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> "Background":
        """Start it, in the loop that runs."""
        self.state = "running"
        self._task = asyncio.create_task(self._supervise(), name=self.name)
        return self

    def cancel(self) -> None:
        """Stop it, and do not wait."""
        self.state = "stopped"
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Stop it and wait until it has ended."""
        self.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    def describe(self) -> BackgroundStatus:
        """How it is."""
        return BackgroundStatus(self.name, self.state, self.failures, self.error)

    async def _supervise(self) -> None:
        clock = self._clock or asyncio.get_running_loop().time
        pause = BACKOFF_SECONDS
        while self.state != "stopped":
            self.state, started = "running", clock()
            # In a task of its own: a CancelledError that it raises is not one of this task.
            running = asyncio.create_task(_caught(self._run()), name=self.name)
            try:
                await asyncio.wait([running])
            finally:  # also when this task is cancelled
                while not running.done():  # Python 3.11's wait_for, in a library, may lose a cancellation
                    running.cancel()
                    await asyncio.wait([running], timeout=CANCEL_SECONDS)
            error = asyncio.CancelledError() if running.cancelled() else running.result()
            if error is None:
                self.state = "ended"
                return
            self.failures += 1
            self.error = repr(error)
            if clock() - started >= CALM_SECONDS:
                pause = BACKOFF_SECONDS
            self.state = "waiting"
            log.error(
                "a background task has failed and is started again",
                name=self.name, error=self.error, failures=self.failures, seconds=pause, exc_info=error,
            )  # fmt: skip
            await self._sleep(pause)
            pause = min(2 * pause, BACKOFF_MAX_SECONDS)


class Errands:
    """Runs coroutines that end by themselves and whose results nobody needs. A failure is counted and logged.

    asyncio tells what such a task raised only when the task is collected as garbage, and a SystemExit would break out of the loop. What an
    errand was to do is not tried again here: that is for the caller, at the next occasion.

    Parameters
    ----------
    name
        For the status.
    complaint
        The line in the log when one fails, with `context`.
    on_failure
        Is called with the error of each that fails.

    Attributes
    ----------
    failures, error
        How many have failed, and the error of the last one.
    """

    def __init__(
        self,
        name: str,
        complaint: str,
        on_failure: Callable[[BaseException], None] = lambda _: None,
        **context: object,
    ):
        self.name, self.complaint, self.on_failure, self.context = name, complaint, on_failure, context
        self.failures = 0
        self.error: str | None = None
        self._running: set[asyncio.Task[BaseException | None]] = set()

    @property
    def are_running(self) -> bool:
        """Whether any has not ended yet."""
        return bool(self._running)

    def start(self, errand: Coroutine[None, None, object]) -> None:
        """Run a coroutine, in the loop that runs."""
        task = asyncio.create_task(_caught(errand), name=self.name)
        self._running.add(task)
        task.add_done_callback(partial(self._end, errand))

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until all that run have ended, at most so long. Who stops waiting stops none of them."""
        if self._running:
            await asyncio.wait([*self._running], timeout=seconds)

    def cancel(self) -> None:
        """Stop all that run, and do not wait."""
        for task in self._running:
            task.cancel()

    def describe(self) -> BackgroundStatus:
        """How they are."""
        return BackgroundStatus(self.name, "running" if self._running else "ended", self.failures, self.error)

    def _end(self, errand: Coroutine[None, None, object], task: "asyncio.Task[BaseException | None]") -> None:
        errand.close()  # one that was cancelled before its first step has not begun, and would be reported as forgotten
        self._running.discard(task)
        if task.cancelled() and task.cancelling():
            return
        error = asyncio.CancelledError() if task.cancelled() else task.result()
        if error is not None:
            self.failures += 1
            self.error = repr(error)
            log.warning(self.complaint, error=self.error, **self.context)
            self.on_failure(error)


async def _caught(run: Coroutine[None, None, object]) -> BaseException | None:
    """What a coroutine raises, returned: SystemExit would break out of the loop."""
    try:
        await run
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 a failure is told by its supervisor
        return error
    return None
