"""The base class of an act, and the function that plays acts one after the other."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import ClassVar

import aiohttp

from headrace.app.demo.stage import Stage, wait_until

REPORT_SECONDS = 1.0


class Act(ABC):
    """One part of the demo, with workers of its own. A new act is a subclass in a file of its own, and a row of `ACTS`.

    The acts overlap: the workers of the next act start while an act is still played. So `start` and `play` are two steps.

    Parameters
    ----------
    stage
        Gives the act its workers and its screen.
    """

    title: ClassVar[str]
    story: ClassVar[str]
    """What happens in the act, in a sentence or two."""

    topic: ClassVar[str] = ""
    """The suffix to the stage's prefix, so that every act has a task and topics of its own."""

    settings: ClassVar[str] = 'model = "logistic"\n'
    """The settings of the act's task besides its kind, as TOML; `TASK` stands for its name."""

    names: ClassVar[tuple[str, ...]]
    """The names of the act's workers."""

    ready_seconds: ClassVar[float] = 60.0
    """How long a worker may take to be ready."""

    answer_seconds: ClassVar[float] = 3.0
    """How long an answer of a worker may take."""

    def __init__(self, stage: Stage):
        self.stage, self.screen = stage, stage.screen
        self.workers = [stage.make_worker(stage.prefix + self.topic, name, self.settings) for name in self.names]
        self.task = self.workers[0].task
        self.note = ""

    def start(self) -> None:
        """Start the workers, which are ready some seconds later."""
        for worker in self.workers:
            worker.start()

    def stop(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.stop()

    async def wait_ready(self, http: aiohttp.ClientSession) -> None:
        """Wait until all workers are ready; HeadraceError if a worker is not ready in time, or has ended."""
        for worker in self.workers:
            await wait_until(partial(worker.is_ready, http), self.ready_seconds, f"worker {worker.name} was not ready")

    async def report(self) -> None:
        """Show the figures every second, for ever."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            self.screen.show_progress(self.figures(), self.note)

    @abstractmethod
    def figures(self) -> Mapping[str, str]:
        """Return the figures that show the progress of the act: called every second, with the same names each time."""

    @abstractmethod
    async def play(self, http: aiohttp.ClientSession, start_next: Callable[[], None]) -> bool:
        """Play the act with workers that are ready, and return whether its results are right.

        Parameters
        ----------
        http
            The HTTP client for requests to the workers.
        start_next
            Starts the workers of the next act. Call it when no worker of this act has to start any more: they would delay each other.
        """

    async def stay(self, until: Awaitable[None]) -> None:
        """Let the workers go on until then."""
        await until


async def play(
    acts: Iterable[type[Act]], stage: Stage, stays_until: Callable[[], Awaitable[None]] | None = None
) -> bool:
    """Play the acts one after the other, and return False as soon as the results of one are wrong.

    Parameters
    ----------
    acts, stage
        What is played, and where.
    stays_until
        Waits for the end: until then the last act goes on. None: it ends like the others.
    """
    program = [act(stage) for act in acts]
    try:
        program[0].start()
        for number, act in enumerate(program, 1):
            stage.screen.open_act(number, act.title, act.story)
            stage.screen.say(f"Waiting for {' and '.join(f'worker {name}' for name in act.names)} to be ready.")
            start_next = program[number].start if number < len(program) else _start_nothing
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(act.answer_seconds)) as http:
                await act.wait_ready(http)
                if not await act.play(http, start_next):
                    return False
            if stays_until is not None and act is program[-1]:
                await act.stay(stays_until())
            act.stop()
    finally:
        for act in program:
            act.stop()
    return True


def _start_nothing() -> None:
    """Do nothing after the last act."""
