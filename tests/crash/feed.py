"""A steady feed for a task, through whatever happens to the broker: into its event log, its source and its stored features."""

import asyncio
import contextlib
import itertools
import json
import random
import threading
from concurrent.futures import Future

from aiokafka.errors import KafkaError
from rows import rows, timed

from headrace.learning.task import Task
from headrace.tables.kafka.producer import LastingProducer

ROUND_SECONDS = 0.1
AWAY_SECONDS = 3
"""How long a broker may take for a round; what it has not acknowledged then may be in the log or not, once or twice."""

SOURCE_SHARE, STORED_SHARE = 0.15, 0.05
USERS = 20


class Feed:
    """Appends rows at a rate while it flows, in a thread of its own. What the broker refuses is lost: the log is the truth.

    Parameters
    ----------
    broker
        `host:port`, not behind a proxy.
    rate
        Rows a second.
    """

    def __init__(self, broker: str, rate: float):
        self.rate, self.sent, self.failed = rate, 0, 0
        self._producer = LastingProducer(broker, linger_ms=5, request_timeout_ms=AWAY_SECONDS * 1000)
        self._rows: itertools.chain = itertools.chain()
        self._loop = asyncio.new_event_loop()
        self._flowing = False
        self._appending = asyncio.Lock()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._running = self._call(self._flow())

    def aim(self, task: Task, source: str, seed: int) -> None:
        """Send rows for this task from now on; ids of one aim do not meet those of another."""
        self._rows = itertools.chain(rows_of(task, source, seed))

    def resume(self) -> None:
        """Send at the rate."""
        self._flowing = True

    def pause(self) -> None:
        """Send nothing; what was under way has been acknowledged or given up when this returns."""
        self._flowing = False
        self._call(self._rest()).result(60)

    def burst(self, count: int) -> None:
        """Append so many rows as fast as they go."""
        self._call(self._append(count)).result(120)

    def stop(self) -> None:
        """Send nothing any more."""
        self._running.cancel()
        with contextlib.suppress(TimeoutError):
            self._call(self._producer.stop()).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _call(self, what) -> Future:
        return asyncio.run_coroutine_threadsafe(what, self._loop)

    async def _rest(self) -> None:
        async with self._appending:
            pass

    async def _flow(self) -> None:
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            if self._flowing:
                await self._append(int(self.rate * ROUND_SECONDS))

    async def _append(self, count: int) -> None:
        async with self._appending:
            while count > 0:
                batch = list(itertools.islice(self._rows, min(count, 500)))
                count -= len(batch)
                results = await asyncio.gather(*map(self._append_one, batch))
                self.sent += sum(results)
                self.failed += len(results) - sum(results)

    async def _append_one(self, row) -> bool:
        topic, partition, key, value = row
        try:
            async with asyncio.timeout(2 * AWAY_SECONDS):
                await self._producer.append(topic, value, key=key, partition=partition)
        except (KafkaError, OSError, AssertionError):  # it asserts that a partition is there
            return False
        return True


def rows_of(task: Task, source: str, seed: int):
    """(topic, partition, key, value), endlessly."""
    dice = random.Random(seed)
    mine = ((shard, named(record, seed)) for shard, record in rows(10**7, task.partitions, seed))
    for shard, value in timed(mine, seed):
        yield task.events, shard, None, value
        fate = dice.random()
        user = f"user-{dice.randrange(USERS)}".encode()
        if fate < SOURCE_SHARE:
            click = {"clicked": dice.random() < 0.5, "bid": {"price": dice.random()}}
            yield source, dice.randrange(2), user, json.dumps(click).encode()
        elif fate < SOURCE_SHARE + STORED_SHARE:
            yield f"{task.name}.features", 0, user, json.dumps({"weekly": dice.randrange(1_000)}).encode()


def named(record, seed: int):
    """The record with an id that no other feed has."""
    return record if isinstance(record, bytes) else record | {"id": f"{seed}.{record['id']}"}
