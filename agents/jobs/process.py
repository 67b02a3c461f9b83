"""The process of a job, of lower priority than its worker unless the shard waits for it, with bounded memory; it ends with its worker."""

import asyncio
import contextlib
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
import structlog

from headrace.agents.jobs.making import Making
from headrace.agents.jobs.order import Order, Progress
from headrace.learning.plain import plain_error
from headrace.learning.task import Task
from headrace.tables.changelog import KafkaChangelog
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.log import KafkaEventLog

log = structlog.get_logger()

NICENESS = 10
"""Beside busy workers a job gets a tenth of a core, so that it ends; of the lowest priority, 19, it would get a sixtieth."""

ALONE_SECONDS = 1.0
"""How often the process looks whether its worker still runs."""

ERROR_MAX = 2_000
"""Characters of what a process says of its end."""


class Subprocess:
    """A process that makes a model, as its worker sees it.

    Parameters
    ----------
    command
        The words that start it.
    order
        What it makes.
    environment
        Of the process.
    """

    def __init__(self, command: Sequence[str], order: Order, environment: Mapping[str, str]):
        self.progress, self.error = Progress(), ""
        self._process = subprocess.Popen(  # noqa: S603 this interpreter, with our own words
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environment)
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        # An order may be larger than a pipe holds: it is written when the process reads it, which may be seconds later, or never.
        threading.Thread(target=self._write, args=(order,), daemon=True).start()

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more, and all that it said was heard."""
        if self._process.poll() is None or self._reader.is_alive():
            return False
        self.error = self.error or f"it ended with status {self._process.returncode}"
        return True

    @property
    def has_delivered(self) -> bool:
        """Whether it has ended well."""
        return self._process.poll() == 0

    def kill(self) -> None:
        """End it."""
        self._process.kill()

    def _write(self, order: Order) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:  # its exit status says more
            stdin.write(msgspec.json.encode(order))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(msgspec.MsgspecError):
                told = msgspec.json.decode(line, type=Progress | Failed)
                if isinstance(told, Failed):
                    self.error = told.error[:ERROR_MAX]
                else:
                    self.progress = told
        self._process.wait()


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """What a process says when it cannot make its model."""

    error: str


def run_job(task: Task, partition: int, brokers: Brokers, modules: Collection[str], memory_bytes: int) -> int:
    """Be the process of a job: read an order from stdin, make the model, and tell the progress on stdout. Return the exit status."""
    parent = os.getppid()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a model prints

    def tell(told: Progress | Failed) -> None:
        with contextlib.suppress(BrokenPipeError):
            out.write(msgspec.json.encode(told) + b"\n")

    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    if order.promised is None:
        os.nice(NICENESS)
    try:
        asyncio.run(_make(task, partition, order, brokers, modules=modules, tell=tell))
    except MemoryError:
        tell(Failed(f"it needs more than the {memory_bytes >> 20} MiB of memory that a job may have"))
        return 1
    except Exception as error:
        log.exception("a job cannot be done", job=order.id)
        tell(Failed(plain_error(error)))
        return 1
    return 0


async def _make(
    task: Task,
    partition: int,
    order: Order,
    brokers: Brokers,
    *,
    modules: Collection[str],
    tell: Callable[[Progress], None],
) -> None:
    event_log = KafkaEventLog(task.events, brokers)
    models = KafkaChangelog(f"{task.name}.versions", brokers)
    try:
        await Making(task, partition, order, event_log, models, modules=modules, tell=tell).run()
    finally:
        await models.stop()
        await event_log.stop()


def _end_with(parent: int) -> None:
    """End this process when its worker has ended, whatever it is doing."""
    while os.getppid() == parent:
        time.sleep(ALONE_SECONDS)
    os._exit(1)
