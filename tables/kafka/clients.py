"""Kafka clients: every client of Headrace is made here, with the brokers' addresses, TLS and login."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Literal, TypedDict, TypeVar, Unpack

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from headrace.learning.plain import plain_error, plain_failure
from headrace.tables.kafka.corrections import correct_aiokafka

log = structlog.get_logger()

Client = TypeVar("Client", AIOKafkaConsumer, AIOKafkaProducer, AIOKafkaAdminClient)

correct_aiokafka()

ISOLATION = "read_committed"

REQUEST_MS = 15_000
"""How long a client waits for an answer, and a producer for an acknowledgement. With aiokafka's default of 40 s, a connection that was cut
silently would keep a shard from opening, and appends from succeeding, for as long."""

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A user and a password for SASL; `repr` does not show the password."""

    mechanism: Mechanism
    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.mechanism}, {self.username!r})"


class Security(TypedDict, total=False):
    """The security options that every client of aiokafka takes."""

    security_protocol: str
    ssl_context: SSLContext
    sasl_mechanism: str
    sasl_plain_username: str
    sasl_plain_password: str


class ConsumerOptions(TypedDict, total=False):
    """The options of `aiokafka.AIOKafkaConsumer` that Headrace sets."""

    auto_offset_reset: str
    enable_auto_commit: bool
    fetch_max_wait_ms: int
    group_id: str
    isolation_level: str
    max_partition_fetch_bytes: int
    max_poll_records: int
    request_timeout_ms: int


class ProducerOptions(TypedDict, total=False):
    """The options of `aiokafka.AIOKafkaProducer` that Headrace sets."""

    acks: str
    compression_type: str
    linger_ms: int
    max_batch_size: int
    max_request_size: int
    request_timeout_ms: int


class Brokers(msgspec.Struct, frozen=True):
    """The brokers of one Kafka cluster, with the security settings that every client needs.

    Parameters
    ----------
    hosts
        `host:port`, several separated by commas.
    tls
        The TLS context, with the certificates to trust and to present; None connects without TLS.
    login
        The SASL user and password; None connects without SASL.

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
        """Return brokers as `Brokers`, also if only their hosts are given."""
        return cls(brokers) if isinstance(brokers, str) else brokers

    @property
    def security(self) -> Security:
        """The security options for a client of aiokafka. They include the password."""
        channel = "PLAINTEXT" if self.tls is None else "SSL"
        options: Security = {"security_protocol": channel if self.login is None else f"SASL_{channel}"}
        if self.tls is not None:
            options["ssl_context"] = self.tls
        if self.login is not None:
            options["sasl_mechanism"] = self.login.mechanism
            options["sasl_plain_username"] = self.login.username
            options["sasl_plain_password"] = self.login.password
        return options

    def consumer(self, **options: Unpack[ConsumerOptions]) -> AIOKafkaConsumer:
        """Make a consumer, not started, that commits nothing by itself and skips aborted transactions; `options` are aiokafka's.

        All consumers of Headrace, Faust's included (`agents/poll.py`), read committed records only. So they agree on which offsets hold
        no record, and on the end of a partition: the last stable offset, where the first open transaction begins.
        """
        own: ConsumerOptions = {
            "enable_auto_commit": False,
            "isolation_level": ISOLATION,
            "request_timeout_ms": REQUEST_MS,
        }
        return AIOKafkaConsumer(bootstrap_servers=self.hosts, **self.security, **(own | options))

    def producer(self, *, enable_idempotence: bool = False, **options: Unpack[ProducerOptions]) -> AIOKafkaProducer:
        """Make a producer, not started, whose records are acknowledged by all in-sync replicas; see `tables.kafka.producer`."""
        own: ProducerOptions = {"acks": "all", "request_timeout_ms": REQUEST_MS}
        return AIOKafkaProducer(
            bootstrap_servers=self.hosts, enable_idempotence=enable_idempotence, **self.security, **(own | options)
        )

    def admin(self, *, request_timeout_ms: int = REQUEST_MS) -> AIOKafkaAdminClient:
        """Make an admin client, not started."""
        return AIOKafkaAdminClient(bootstrap_servers=self.hosts, request_timeout_ms=request_timeout_ms, **self.security)

    def __str__(self) -> str:
        return self.hosts

    def __repr__(self) -> str:
        return f"Brokers({self.hosts!r}, {self.security['security_protocol']})"


class ClientEndedError(KafkaError):
    """A client's background task has ended, so the client would never fetch another message."""


async def fetched(
    consumer: AIOKafkaConsumer, *shards: TopicPartition, timeout_ms: int, max_records: int | None = None
) -> dict[TopicPartition, list[ConsumerRecord]]:
    """Return the result of a consumer's `getmany`, by partition.

    Raises
    ------
    ClientEndedError
        There are no messages because the consumer no longer works.
    """
    by_shard = await consumer.getmany(*shards, timeout_ms=timeout_ms, max_records=max_records)
    if not by_shard and (error := find_ended(consumer)) is not None:
        raise ClientEndedError(f"a Kafka client has ended: {plain_failure(error)}")
    return by_shard


def find_ended(consumer: AIOKafkaConsumer) -> BaseException | None:
    """Return the error of a background task of a consumer that has ended; None while all run.

    Without that task the consumer no longer fetches or no longer serves its group, and aiokafka does not report it.
    """
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
    """Connect a client and return it; close it if connecting fails or is cancelled."""
    try:
        await client.start()
    except BaseException:
        await close(client)
        raise
    return client


@asynccontextmanager
async def consuming(brokers: Brokers, **options: Unpack[ConsumerOptions]) -> AsyncIterator[AIOKafkaConsumer]:
    """Connect a consumer of `Brokers.consumer` for the block, and close it at the end or if it cannot be connected."""
    consumer = await started(brokers.consumer(**options))
    try:
        yield consumer
    finally:
        await close(consumer)


_closing: set[asyncio.Task[None]] = set()


def close_soon(client: AIOKafkaConsumer | AIOKafkaAdminClient) -> None:
    """Close a client in the background: its connection may be half open, and closing it may take long."""
    _closing.add(closing := asyncio.create_task(close(client)))
    closing.add_done_callback(_closing.discard)


async def close(client: AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient) -> None:
    """Close a client and log any error.

    The client is closed in a task of its own. When a broker is away, aiokafka raises the CancelledError of a pending request, which the
    caller would take for its own cancellation.
    """
    closing = asyncio.create_task(client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
    await asyncio.wait([closing])
    if not closing.cancelled() and (error := closing.exception()) is not None:
        log.debug("a client was not closed in order", error=plain_error(error))
