"""Supervises background tasks and errands: every failure is counted and logged, so that no task can die unnoticed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Literal

import msgspec
import structlog

from headrace.agents.pace import Pace
from headrace.learning.plain import plain_error

log = structlog.get_logger()

State = Literal["running", "waiting", "ended", "stopped"]


class BackgroundStatus(msgspec.Struct, frozen=True):
    """The state of a background task: `waiting` to be started again, `ended` by itself as intended, or `stopped` by its worker."""

    name: str
    state: State
    failures: int
    error: str | None


class Background:
    """Runs a coroutine in a task, and again after a pause whenever it raises.

    Without supervision nobody notices a task that has died: its work is no longer done, and everything else goes on. Any exception counts
    as a failure: also SystemExit, a Rust panic, and a CancelledError that `stop` did not cause, since a user's model may raise them. A
    coroutine that returns has ended as intended.

    Parameters
    ----------
    name
        Names the task in the log and in the status.
    run
        Makes a coroutine for each start.
    pace
        Has the pauses.
    sleep, clock
        Wait for some seconds; return seconds that never go back.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], Coroutine[None, None, object]],
        *,
        pace: Pace = Pace(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] | None = None,
    ):
        self.name, self.pace, self.failures = name, pace, 0
        self.state: State = "stopped"
        self.error: str | None = None
        self._run, self._sleep, self._clock = run, sleep, clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> "Background":
        """Start the task in the running event loop."""
        self.state = "running"
        self._task = asyncio.create_task(self._supervise(), name=self.name)
        return self

    def cancel(self) -> None:
        """Stop the task without waiting for its end."""
        self.state = "stopped"
        if self._task is not None:
            self._task.cancel()

    async def stop(self) -> None:
        """Stop the task and wait for its end."""
        self.cancel()
        if self._task is not None:
            await asyncio.wait([self._task])

    def describe(self) -> BackgroundStatus:
        """Return the state of the task, its number of failures and its last error."""
        return BackgroundStatus(self.name, self.state, self.failures, self.error)

    async def _supervise(self) -> None:
        clock = self._clock or asyncio.get_running_loop().time
        pause = self.pace.restart
        while self.state != "stopped":
            self.state, started = "running", clock()
            # The coroutine runs in a task of its own, so that a CancelledError that it raises does not look like a cancellation of this task.
            running = asyncio.create_task(_run_caught(self._run()), name=self.name)
            try:
                await asyncio.wait([running])
            finally:  # also when this task is cancelled
                while not running.done():  # Python 3.11's wait_for, in a library, may lose a cancellation
                    running.cancel()
                    await asyncio.wait([running], timeout=self.pace.cancel_again)
            error = asyncio.CancelledError() if running.cancelled() else running.result()
            if error is None:
                self.state = "ended"
                return
            self.failures += 1
            self.error = plain_error(error)
            if clock() - started >= self.pace.calm:
                pause = self.pace.restart
            self.state = "waiting"
            log.error(
                "a background task has failed and is started again",
                name=self.name, error=self.error, failures=self.failures, seconds=pause, exc_info=error,
            )  # fmt: skip
            await self._sleep(pause)
            pause = min(2 * pause, self.pace.restart_max)


class Errands:
    """Runs coroutines that end by themselves and whose results nobody needs; counts and logs those that fail.

    asyncio reports the exception of such a task only when the task is collected as garbage, and a SystemExit would break out of the loop. An
    errand that failed is not tried again here: its caller starts another errand at the next occasion.

    Parameters
    ----------
    name
        Names the errands in the status.
    complaint
        The line that is logged with `context` when an errand fails.
    on_failure
        Called with the error of each errand that fails.

    Attributes
    ----------
    failures, error
        The number of errands that have failed, and the error of the last one.
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
        """Say whether any errand has not ended yet."""
        return bool(self._running)

    def start(self, errand: Coroutine[None, None, object]) -> None:
        """Run a coroutine in the running event loop."""
        task = asyncio.create_task(_run_caught(errand), name=self.name)
        self._running.add(task)
        task.add_done_callback(partial(self._end, errand))

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until all running errands have ended, at most `seconds`. Cancelling the wait cancels no errand."""
        if self._running:
            await asyncio.wait([*self._running], timeout=seconds)

    def cancel(self) -> None:
        """Cancel all running errands without waiting for their end."""
        for task in self._running:
            task.cancel()

    def describe(self) -> BackgroundStatus:
        """Return whether errands run, how many have failed, and the last error."""
        return BackgroundStatus(self.name, "running" if self._running else "ended", self.failures, self.error)

    def _end(self, errand: Coroutine[None, None, object], task: "asyncio.Task[BaseException | None]") -> None:
        errand.close()  # a coroutine that was cancelled before its first step would be reported as never awaited
        self._running.discard(task)
        if task.cancelled() and task.cancelling():
            return
        error = asyncio.CancelledError() if task.cancelled() else task.result()
        if error is not None:
            self.failures += 1
            self.error = plain_error(error)
            log.warning(self.complaint, error=self.error, **self.context)
            self.on_failure(error)


async def _run_caught(run: Coroutine[None, None, object]) -> BaseException | None:
    """Run a coroutine and return the exception that it raises, since a raised SystemExit would break out of the loop."""
    try:
        await run
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 the supervisor reports it
        return error
    return None
