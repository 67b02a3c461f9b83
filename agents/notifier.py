"""Notifies somebody outside of a task's signals: reads them from `<task>.signals` and sends each to a hook, at least once."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from headrace.agents.pace import Pace
from headrace.agents.telemetry import Telemetry
from headrace.learning.plain import plain_error
from headrace.learning.task import Json
from headrace.tables.kafka.clients import Brokers, ConsumerOptions, consuming, fetched

log = structlog.get_logger()

WAITING_MAX = 1_000
"""How many signals of a task may wait for the hook. The oldest is dropped for a further one: the newest say how things are."""

TRIES = 20
"""How often a signal is sent before it is given up: with the waits between, for a quarter of an hour."""


class HookError(Exception):
    """A hook did not take a notification.

    Parameters
    ----------
    what
        What happened, without a secret.
    passing
        Whether the same notification may be taken later.
    """

    def __init__(self, what: str, *, passing: bool):
        super().__init__(what)
        self.passing = passing


Send = Callable[[Mapping[str, Json]], Coroutine[None, None, None]]
"""Sends a signal to the hook. Raises HookError."""


class Waiting(NamedTuple):
    """A signal that waits to be sent, and its place in the topic."""

    place: TopicPartition
    offset: int
    signal: dict[str, Json]


class Notifier:
    """Sends each signal of a task to a hook, at least once, with the id of its effect; and never waits for it elsewhere.

    All workers read `<task>.signals` as one consumer group, so one of them sends each signal. Its offset is committed when the hook has
    taken it. If a worker dies before, another one sends it again; and a crash of a shard's owner may publish the signal itself again. In both
    cases the id is the same. The first worker of a group begins at the end of the topic, not with the signals of the past.

    A hook that is away is tried again. What it never gets is counted: a signal that it refuses for good or does not take in `TRIES` tries,
    as `failed`; and the oldest of more than `WAITING_MAX` that wait, as `dropped`.

    Parameters
    ----------
    task
        The name of the task.
    brokers
        The Kafka brokers: `Brokers`, or `host:port`, several separated by commas.
    kinds
        The kinds of signals that are sent.
    send
        Sends a signal.
    telemetry
        Counts what becomes of the signals.
    pace
        How soon a hook or a broker that was away is tried again.
    sleep
        Waits for some seconds.
    """

    def __init__(
        self,
        task: str,
        brokers: Brokers | str,
        kinds: Collection[str],
        send: Send,
        *,
        telemetry: Telemetry,
        pace: Pace = Pace(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ):
        self.task, self.brokers, self.kinds = task, Brokers.of(brokers), frozenset(kinds)
        self.send, self.telemetry, self.pace = send, telemetry, pace
        self._sleep = sleep
        self._waiting: deque[Waiting] = deque()
        self._came = asyncio.Event()

    async def run(self) -> None:
        """Send signals until cancelled; try again while the broker is away."""
        while True:
            try:
                await self._serve()
            except (KafkaError, OSError) as error:
                log.warning("signals cannot be read now", task=self.task, error=plain_error(error))
            await self._sleep(self.pace.retry_requests)

    async def _serve(self) -> None:
        options: ConsumerOptions = {"group_id": f"headrace-{self.task}.notify", "auto_offset_reset": "latest"}
        self._waiting.clear()  # what has waited is read again from the committed offset
        async with consuming(self.brokers, **options) as consumer:
            consumer.subscribe([f"{self.task}.signals"])
            sending = asyncio.create_task(self._send_all())
            committed: dict[TopicPartition, int] = {}
            try:
                while not sending.done():
                    polled = await fetched(consumer, timeout_ms=200)
                    for place, messages in polled.items():
                        self._add(place, messages)
                    committed = await self._commit(consumer, committed)
                sending.result()
            finally:
                sending.cancel()
                await asyncio.wait([sending])

    def _add(self, place: TopicPartition, messages: Sequence[ConsumerRecord]) -> None:
        """Add the signals of messages to those that wait; the oldest are dropped if these are too many."""
        for message in messages:
            for signal in signals_of(message.value or b"", self.kinds):
                self._waiting.append(Waiting(place, message.offset, signal))
        if dropped := max(0, len(self._waiting) - WAITING_MAX):
            under_way = self._waiting.popleft()
            for _ in range(dropped):
                self._waiting.popleft()
            self._waiting.appendleft(under_way)
            self.telemetry.notifications["dropped"] += dropped
            log.warning("signals were dropped: the hook takes too few", task=self.task, dropped=dropped)
        if self._waiting:
            self._came.set()

    async def _commit(
        self, consumer: AIOKafkaConsumer, committed: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Commit for each partition the offset of its first signal that waits, or where it is read from next; return the offsets."""
        offsets = {place: await consumer.position(place) for place in consumer.assignment()}
        for one in reversed(self._waiting):
            if one.place in offsets:
                offsets[one.place] = one.offset
        if offsets and offsets != committed:
            await consumer.commit(offsets)
        return offsets

    async def _send_all(self) -> None:
        while True:
            while not self._waiting:
                self._came.clear()
                await self._came.wait()
            await self._send_one(self._waiting[0].signal)
            self._waiting.popleft()

    async def _send_one(self, signal: dict[str, Json]) -> None:
        """Send a signal until the hook takes it, refuses it for good, or has had all tries."""
        counts, wait = self.telemetry.notifications, self.pace.retry_hook
        for tried in range(1, TRIES + 1):
            try:
                await self.send(signal)
            except HookError as error:
                if not error.passing or tried == TRIES:
                    counts["failed"] += 1
                    log.error(  # noqa: TRY400 the hook failed, not this code
                        "a signal was not sent", task=self.task, id=signal["id"], error=str(error), tries=tried
                    )
                    return
                log.warning("a signal is sent again", task=self.task, id=signal["id"], error=str(error), seconds=wait)
                counts["retried"] += 1
                await self._sleep(wait)
                wait = min(2 * wait, self.pace.retry_hook_max)
            else:
                counts["sent"] += 1
                return


def signals_of(value: bytes, kinds: Collection[str]) -> Iterator[dict[str, Json]]:
    r"""Yield the signals of these kinds in a message of `<task>.signals`; what is no signal is left out.

    Examples
    --------
    >>> value = b'{"effect": "alert", "id": "ads/0/7/0/0"}\n{"effect": "saved", "id": "ads/0/7/0/1"}\nno JSON'
    >>> list(signals_of(value, {"alert"}))
    [{'effect': 'alert', 'id': 'ads/0/7/0/0'}]
    """
    for line in value.split(b"\n"):
        try:
            signal = msgspec.json.decode(line)
        except ValueError:
            continue
        if isinstance(signal, dict) and signal.get("effect") in kinds and isinstance(signal.get("id"), str):
            yield signal
