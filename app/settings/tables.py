"""The tables `broker`, `worker` and `features` of `headrace.toml` as structs; `headrace.learning.task` has the tables of tasks."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from headrace.app.credentials import BrokerTls, Sasl, WebTls
from headrace.learning.task import Duration
from headrace.learning.task.duration import seconds


class Broker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `broker`: the Kafka cluster to use.

    Parameters
    ----------
    url
        `kafka://host:port`, several as `kafka://host:port,host:port`. Left out: 127.0.0.1:9092, where `headrace broker` listens.
    tls
        `true`: TLS with the system's certificate authorities. Or a table that names files.
    sasl
        User and password for SASL.
    """

    url: (
        Annotated[
            str, msgspec.Meta(pattern=r"^kafka://[^/\s]+:\d+(,[^/\s]+:\d+)*\Z", examples=["kafka://127.0.0.1:9092"])
        ]
        | None
    ) = None
    tls: bool | BrokerTls = False
    sasl: Sasl | None = None


class Worker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `worker`: how a worker stores, listens and shares its work.

    Parameters
    ----------
    datadir
        Folder of the databases, one a shard. A worker makes it. Only one process may use it: two workers on one machine need two folders.
    web
        `host:port` to listen on. `0.0.0.0:6066` listens everywhere; a worker that others can reach does not start without API keys.
    address
        The address at which others reach this worker: exactly `scheme://host:port`. Left out: `http://`, or with `tls` `https://`, and `web`.
        Set it when `web` is not an address that others can use. All workers of a group have the same scheme.
    peers
        The workers that this one may ask: a list of hosts, `host:port` and networks, such as `["mill.example:6066", "10.0.0.0/8"]`. Left
        out: every host. Then anybody who can join the group can make this worker send a POST to any host: on this machine, in its network,
        or a cloud's metadata service (`169.254.169.254`). Set it if others may join the group. Names are not resolved, so a network
        only contains addresses that are written as numbers. `[]`: no worker.
    group_secret_file
        A file with the secret that all workers of the group share, 32 bytes or more. Left out: `HEADRACE_GROUP_SECRET`. If neither is set and
        there are API keys, no question is forwarded. See "What workers tell each other" in docs/how-to/keys-and-tls.md.
    snapshot_records
        A snapshot is due after this number of messages, or after `snapshot_seconds`, whichever comes first.
    snapshot_seconds
        See `snapshot_records`. Snapshots are taken less often if they would use more than 5 % of the worker's time.
    snapshot_key_file
        A file with a secret of 32 bytes or more that signs snapshots and the segments of `<task>.pending`; `headrace init` makes one. Left
        out: `HEADRACE_SNAPSHOT_KEY`. If neither is set, nothing is signed, and the broker must be on this machine.
    unsigned
        Whether a worker without a snapshot key may use a broker that others can reach. Set it if Kafka's ACLs let only the workers write
        `<task>.snapshots` and `<task>.pending`. It has no effect if there is a key.
    body_limit
        The largest body of a request, in bytes.
    body_seconds
        How long a body may take to arrive, in seconds. Request line and headers have 10 s from their first byte; those of the first request
        have 10 s from the start of the connection.
    keys_file
        A file with API keys: see "API keys" in docs/how-to/keys-and-tls.md. `HEADRACE_KEYS` adds to them. Without keys, every request is
        answered.
    insecure
        Whether a worker that others can reach may start without API keys. Then anybody may read the model and send it records.
    rate_limit
        Requests a second for each key; the line of a key may set its own limit. Without keys: requests a second of all callers together. A
        batch counts as one request. Each worker counts for itself.
    tls
        The files of the certificate for TLS 1.2 or newer. Left out: no TLS.
    buffer_bytes
        The number of bytes of messages that may wait in memory.
    group
        The consumer group that assigns the shards to its workers. All workers of a deployment have the same group, whatever their tasks. Two
        deployments on one Kafka need two groups.
    modules
        Modules of your own whose functions may make models, beside those that the tasks name: one that a task has named before, and from
        which the log still has models, or will name.
    onnx
        Batch models beside those that the tasks name, as files of ONNX: those that a task has named before, and that the log still names.
    job_memory
        Bytes of memory that the process of a job may have.
    session_seconds
        How many seconds a worker may be silent before the group assigns its shards to others. Kafka takes no less than its
        `group.min.session.timeout.ms`, which is 6 s unless set otherwise.
    """

    datadir: str = "data"
    web: Annotated[str, msgspec.Meta(pattern=r"^[^:\s]+:\d{1,5}\Z", examples=["127.0.0.1:6066"])] = "127.0.0.1:6066"
    address: str | None = None
    peers: list[str] | None = None
    group_secret_file: str | None = None
    snapshot_records: Annotated[int, msgspec.Meta(ge=1)] = 10_000
    snapshot_seconds: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    snapshot_key_file: str | None = None
    unsigned: bool = False
    body_limit: Annotated[int, msgspec.Meta(ge=1024, le=1 << 30)] = 1 << 20
    body_seconds: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 10.0
    keys_file: str | None = None
    insecure: bool = False
    rate_limit: Annotated[float, msgspec.Meta(gt=0, le=1e9)] | None = None
    tls: WebTls | None = None
    buffer_bytes: Annotated[int, msgspec.Meta(ge=1 << 20)] = 64 << 20
    group: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,200}\Z", examples=["headrace"])] = "headrace"
    modules: list[Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][\w.]*\Z")]] = []
    onnx: list[str] = []
    job_memory: Annotated[int, msgspec.Meta(ge=64 << 20)] = 2 << 30
    session_seconds: Annotated[float, msgspec.Meta(ge=1, le=1800)] = 10.0


class Features(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `features`: where stored features are kept, and how long a question may wait for them.

    Parameters
    ----------
    url
        The Redis server of stored features: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS; needs
        `pip install 'headrace[redis]'`. Left out: every worker keeps all stored features in a database of its own. The URL may contain a
        password, so it is never shown.
    ttl
        How long a value is valid, from its record's Kafka timestamp, or from the moment at which the store first read it if that is earlier.
        Left out: for ever.
    budget_ms
        Milliseconds that a look-up of up to 100 keys may take. A look-up of more keys has proportionally more.
    """

    url: str | None = None
    ttl: Duration | None = None
    budget_ms: Annotated[float, msgspec.Meta(gt=0, le=60_000)] = 5.0

    @property
    def ttl_seconds(self) -> float | None:
        """Return how long a value is valid, in seconds; None means for ever."""
        return None if self.ttl is None else seconds(self.ttl)

    @property
    def shown(self) -> str:
        """Return where stored features are kept, without a password."""
        return "embedded" if self.url is None else without_password(self.url)

    def __repr__(self) -> str:
        return f"Features({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("url", self.url and self.shown), ("ttl", self.ttl), ("budget_ms", self.budget_ms)]


def without_password(url: str) -> str:
    """Return a URL without user, password and query, to be shown.

    Examples
    --------
    >>> without_password("redis://me:secret@cache:6379/0?password=secret")
    'redis://cache:6379/0'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
