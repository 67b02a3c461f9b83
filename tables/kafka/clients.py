"""The one place that makes Kafka clients: where the brokers are, and what they want to see before they answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any, Literal, TypeVar

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from headrace.tables.kafka.corrections import correct_aiokafka

log = structlog.get_logger()

Client = TypeVar("Client", AIOKafkaConsumer, AIOKafkaProducer, AIOKafkaAdminClient)

correct_aiokafka()

ISOLATION = "read_committed"

REQUEST_MS = 15_000
"""How long a client waits for an answer, and a producer for an acknowledgement. aiokafka's own 40 s are how long a shard opens, and
nothing is appended, when a connection was cut without a word."""

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A user and a password for SASL; the password is not shown."""

    mechanism: Mechanism
    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.mechanism}, {self.username!r})"


class Brokers(msgspec.Struct, frozen=True):
    """The brokers of one Kafka.

    Parameters
    ----------
    hosts
        `host:port`, several separated by commas.
    tls
        How to check their certificates, and which one to show them; None speaks without TLS.
    login
        Who we are, by SASL; None says nothing of it.

    Examples
    --------
    >>> brokers = Brokers("one:9092", login=Login(mechanism="PLAIN", username="mill", password="secret"))
    >>> print(brokers, brokers.security["security_protocol"])
    one:9092 SASL_PLAINTEXT
    >>> Brokers.of("one:9092").security
    {'security_protocol': 'PLAINTEXT'}
    """

    hosts: str
    tls: SSLContext | None = None
    login: Login | None = None

    @classmethod
    def of(cls, brokers: "Brokers | str") -> "Brokers":
        """Brokers that may be named by their hosts alone."""
        return cls(brokers) if isinstance(brokers, str) else brokers

    @property
    def security(self) -> dict[str, Any]:
        """What every client of aiokafka is told about security. It holds the password."""
        channel = "PLAINTEXT" if self.tls is None else "SSL"
        options: dict[str, Any] = {"security_protocol": channel if self.login is None else f"SASL_{channel}"}
        if self.tls is not None:
            options["ssl_context"] = self.tls
        if self.login is not None:
            options["sasl_mechanism"] = self.login.mechanism
            options["sasl_plain_username"] = self.login.username
            options["sasl_plain_password"] = self.login.password
        return options

    def consumer(self, **options: Any) -> AIOKafkaConsumer:
        """A consumer, not started, that commits nothing by itself and skips aborted transactions; `options` are aiokafka's.

        All consumers of Headrace read committed records only, Faust's included (`agents/poll.py`). So they agree on the offsets that
        hold no record, and the end of a partition is the last stable offset: the first offset of a transaction that is still open.
        """
        own = {"enable_auto_commit": False, "isolation_level": ISOLATION, "request_timeout_ms": REQUEST_MS}
        return AIOKafkaConsumer(**self._with(**(own | options)))

    def producer(self, **options: Any) -> AIOKafkaProducer:
        """A producer, not started, whose records are acknowledged by all in-sync replicas; see `tables.producer`."""
        own = {"acks": "all", "request_timeout_ms": REQUEST_MS}
        return AIOKafkaProducer(**self._with(**(own | options)))

    def admin(self, **options: Any) -> AIOKafkaAdminClient:
        """An admin client, not started."""
        return AIOKafkaAdminClient(**self._with(**({"request_timeout_ms": REQUEST_MS} | options)))

    def _with(self, **options: Any) -> dict[str, Any]:
        return {"bootstrap_servers": self.hosts, **self.security, **options}

    def __str__(self) -> str:
        return self.hosts

    def __repr__(self) -> str:
        return f"Brokers({self.hosts!r}, {self.security['security_protocol']})"


class ClientEndedError(KafkaError):
    """A client has ceased to fetch, and would never have anything more."""


async def fetched(consumer: AIOKafkaConsumer, *shards: TopicPartition, **options: Any) -> dict[TopicPartition, Any]:
    """What a consumer's `getmany` gives; ClientEndedError where it gives nothing because the consumer does not work any more."""
    found: dict[TopicPartition, Any] = await consumer.getmany(*shards, **options)
    if not found and (error := find_ended(consumer)) is not None:
        raise ClientEndedError(f"a Kafka client has ended: {error!r}")
    return found


def find_ended(consumer: AIOKafkaConsumer) -> BaseException | None:
    """The error by which one of a consumer's own tasks has ended, if one has: it fetches, or works for its group, no more, and says nothing."""
    tasks = {
        "_client": "_sync_task", "_fetcher": "_fetch_task", "_coordinator": "_coordination_task",
    }  # fmt: skip
    for part, name in tasks.items():
        task: asyncio.Task[None] | None = getattr(getattr(consumer, part, None), name, None)
        if task is not None and task.done() and not consumer._closed:  # noqa: SLF001 it has no other way to tell
            return asyncio.CancelledError() if task.cancelled() else task.exception() or RuntimeError("it has returned")
    return None


async def ask_cluster(brokers: Brokers) -> str | None:
    """The id of the cluster that the brokers belong to. Raises KafkaError or OSError while they are away."""
    admin = await started(brokers.admin())
    try:
        cluster: str | None = (await admin.describe_cluster())["cluster_id"]
    finally:
        await admin.close()
    return cluster


async def started(client: Client) -> Client:
    """A client, connected; one that cannot be, or that nobody waits for any more, is closed again."""
    try:
        await client.start()
    except BaseException:
        await close(client)
        raise
    return client


@asynccontextmanager
async def consuming(brokers: Brokers, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer as of `Brokers.consumer`, connected, which is closed at the end of the block, and when it cannot be connected."""
    consumer = await started(brokers.consumer(**options))
    try:
        yield consumer
    finally:
        await close(consumer)


_closing: set[asyncio.Task[None]] = set()


def close_soon(client: AIOKafkaConsumer | AIOKafkaAdminClient) -> None:
    """Close a client that nobody waits for any more: its connection may be half open, which it notices late."""
    _closing.add(closing := asyncio.create_task(close(client)))
    closing.add_done_callback(_closing.discard)


async def close(client: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient) -> None:
    """Close a client, whatever that raises.

    In a task of its own: when a broker is away aiokafka raises the CancelledError of a request that it had under way, which the caller
    would take for its own.
    """
    closing = asyncio.create_task(client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
    await asyncio.wait([closing])
    if not closing.cancelled() and (error := closing.exception()) is not None:
        log.debug("a client was not closed in order", error=repr(error))
