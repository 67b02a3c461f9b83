"""The stage: gives the acts of the demo their workers, and has the functions that several acts need."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path

from aiokafka import ConsumerRecord, TopicPartition

from headrace.app.broker import free_port
from headrace.app.demo.process import Worker
from headrace.app.demo.screen import Screen
from headrace.app.settings import load
from headrace.learning.errors import HeadraceError
from headrace.learning.task import Label
from headrace.tables.kafka.clients import Brokers

SESSION_SECONDS = 2.0
"""The session timeout on the embedded broker, which delays a new member of a group by half of it. A dead worker is missed after it."""

POLL_SECONDS = 0.05

CONFIG = """\
[broker]
url = "kafka://{broker}"

[worker]
web = "127.0.0.1:{port}"
group = "headrace-{task}"
{more}
[tasks.{task}]
kind = "binary"
{settings}"""

Row = tuple[dict[str, float], bool]
"""The features and the label of a sample."""


class Stage:
    """Gives the acts of the demo their workers and a screen.

    Parameters
    ----------
    folder
        The folder for the settings, data and logs of the workers.
    broker
        `host:port`.
    embedded
        Whether `broker` is the embedded broker. There, workers join the group in 1 s with a short session, and in 6 s as static members; on
        Kafka, static members are back at once.
    prefix
        The beginning of the names of the tasks, and so of the topics.
    screen
        Shows the demo.
    """

    def __init__(self, folder: Path, broker: str, screen: Screen, *, embedded: bool, prefix: str = "phishing"):
        self.folder, self.broker, self.embedded, self.prefix, self.screen = folder, broker, embedded, prefix, screen

    @cached_property
    def rows(self) -> list[Row]:
        """Return River's Phishing data set."""
        from river import datasets

        return list(datasets.Phishing())

    def make_worker(self, task: str, name: str, settings: str) -> Worker:
        """Make a worker for a task with these settings, as TOML, without starting it."""
        folder = self.folder / task / name
        folder.mkdir(parents=True)
        more = f"session_seconds = {SESSION_SECONDS}\n" if self.embedded else ""
        config = CONFIG.format(
            broker=self.broker, port=free_port(), task=task, more=more, settings=settings.replace("TASK", task)
        )
        (folder / "headrace.toml").write_text(config)
        return Worker(load(str(folder / "headrace.toml")), name, [] if self.embedded else ["--instance", name])


@asynccontextmanager
async def meanwhile(*work: Coroutine[None, None, None]) -> AsyncIterator[asyncio.TaskGroup]:
    """Run coroutines until the block ends. An error in one of them ends the block, which raises the error."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(coroutine) for coroutine in work]
            yield group
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def wait_until(is_so: Callable[[], Awaitable[bool]], within: float, otherwise: str) -> None:
    """Call `is_so` repeatedly until it returns True.

    Raises
    ------
    HeadraceError
        The result is still False after `within` seconds; the text begins with `otherwise`.
    """
    deadline = time.monotonic() + within
    while not await is_so():
        if time.monotonic() > deadline:
            raise HeadraceError(f"{otherwise} within {within:g} s.", "Run: headrace doctor.")
        await asyncio.sleep(POLL_SECONDS)


async def read_log(brokers: Brokers, topic: str) -> AsyncGenerator[ConsumerRecord, None]:
    """Yield the messages of the only partition of a topic from its beginning, without an end: the caller stops reading."""
    partition = TopicPartition(topic, 0)
    async with brokers.consumer() as consumer:
        consumer.assign([partition])
        consumer.seek(partition, 0)
        while True:
            for message in (await consumer.getmany(partition, timeout_ms=1000)).get(partition, []):
                yield message


def validate_progressively(
    rows: Iterable[Row],
    *,
    moment: Callable[[dict[str, float]], int] | None = None,
    delay: Callable[[dict[str, float], Label], int] | None = None,
) -> float:
    """Measure the accuracy of the demo's model with River's own progressive validation, without Headrace.

    Parameters
    ----------
    rows
        The rows to predict and learn, in this order.
    moment, delay
        The order and the delay of labels that come later: see River's `evaluate.progressive_val_score`.

    Examples
    --------
    >>> rows = [({"x": 1.0}, True), ({"x": 2.0}, False), ({"x": 1.0}, True)]
    >>> round(validate_progressively(rows), 3)
    0.333
    """
    from river import evaluate, linear_model, metrics, optim, preprocessing

    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.SGD(0.005))
    score = evaluate.progressive_val_score(iter(rows), model, metrics.Accuracy(), moment, delay)
    return score.get()
