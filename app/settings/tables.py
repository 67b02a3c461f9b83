"""The tables of `headrace.toml` that are no task's, as structs; `headrace.learning.task` has those of tasks."""

from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from headrace.app.credentials import BrokerTls, Sasl, WebTls
from headrace.learning.task import Duration
from headrace.learning.task.duration import seconds


class Broker(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Kafka to use.

    Parameters
    ----------
    url
        `kafka://host:port`, several as `kafka://host:port,host:port`. Left out: 127.0.0.1:9092, where `headrace broker` listens.
    tls
        `true`: TLS, trusting what the system trusts; or a table that names files.
    sasl
        User and password.
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
    """How a worker runs.

    Parameters
    ----------
    datadir
        Folder of the databases, one a shard. A worker makes it. Only one process may use it: two workers on one machine need two folders.
    web
        `host:port` to listen on. `0.0.0.0:6066` listens everywhere; a worker that others can reach does not start without API keys.
    address
        Where others reach this worker: `scheme://host:port`, no more and no less. Left out: `http://`, or with `tls` `https://`, and `web`.
        Set it when `web` is not an address that others can use. All workers of a group have the same scheme.
    peers
        The workers that this one may ask: a list of hosts, `host:port` and networks, such as `["mill.example:6066", "10.0.0.0/8"]`. Left
        out: every host, so that whoever can join the group can have this worker send its POST to any, on this machine, in the own network
        or at a cloud's metadata service (`169.254.169.254`). Set it where others may join the group. Names are not resolved, so a network
        only holds addresses that are written as numbers. `[]`: nobody.
    group_secret_file
        A file with the secret that all workers of the group share, 32 bytes or more. Left out: `HEADRACE_GROUP_SECRET`; neither, and there
        are API keys: no question is passed on. See "What workers tell each other" in docs/how-to/keys-and-tls.md.
    snapshot_records
        A snapshot is due after so many messages, or after `snapshot_seconds`, whichever comes first.
    snapshot_seconds
        As for `snapshot_records`. Both are stretched so that taking snapshots uses at most 5 % of the worker's time.
    snapshot_key_file
        A file with a secret of 32 bytes or more that signs snapshots and the segments of `<task>.pending`; `headrace init` makes one. Left
        out: `HEADRACE_SNAPSHOT_KEY`; neither: nothing is signed, and the broker must be on this machine.
    unsigned
        Whether a worker without a snapshot key may use a broker that others can reach: where Kafka's ACLs let only the workers write
        `<task>.snapshots` and `<task>.pending`. Without effect beside a key.
    body_limit
        Bytes of a request's body.
    body_seconds
        How long a body may take to arrive. Request line and headers have 10 s, from their first byte, and of the first request from the
        connection on.
    keys_file
        API keys: see "API keys" in docs/how-to/keys-and-tls.md. `HEADRACE_KEYS` adds to them. Without any, every request is answered.
    insecure
        Whether a worker that others can reach may start without API keys. Then all the world may read and teach it.
    rate_limit
        Requests a second of each key; its line may say otherwise. Without keys: of all requests together. A batch counts as one. Each
        worker counts for itself.
    tls
        Answer over TLS 1.2 or newer, with these files.
    buffer_bytes
        Bytes of messages that may wait in memory.
    group
        The consumer group that shares the shards among its workers. All workers of a deployment have the same, whatever their tasks. Two
        deployments on one Kafka need two names.
    session_seconds
        How long a worker may be silent before the group gives its shards to others. Kafka takes no less than its
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
    session_seconds: Annotated[float, msgspec.Meta(ge=1, le=1800)] = 10.0


class Features(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where stored features are kept, and how long a question may wait for them.

    Parameters
    ----------
    url
        Where stored features are kept: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS; needs
        `pip install 'headrace[redis]'`. Left out: every worker keeps all of them in a database of its own. It may hold a password: it is
        shown to no one.
    ttl
        How long a value counts from its record's Kafka timestamp, or from when the store first read it if that is earlier. Left out: for
        ever.
    budget_ms
        Milliseconds that a look-up of up to 100 keys may take; one of more has as many times as much.
    """

    url: str | None = None
    ttl: Duration | None = None
    budget_ms: Annotated[float, msgspec.Meta(gt=0, le=60_000)] = 5.0

    @property
    def ttl_seconds(self) -> float | None:
        """How long a value counts, in seconds; None: for ever."""
        return None if self.ttl is None else seconds(self.ttl)

    @property
    def shown(self) -> str:
        """Where they are kept, without a password."""
        return "embedded" if self.url is None else without_password(self.url)

    def __repr__(self) -> str:
        return f"Features({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("url", self.url and self.shown), ("ttl", self.ttl), ("budget_ms", self.budget_ms)]


def without_password(url: str) -> str:
    """A URL as it may be shown.

    Examples
    --------
    >>> without_password("redis://me:secret@cache:6379/0?password=secret")
    'redis://cache:6379/0'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
