"""Settings: `headrace.toml`, read once, checked whole."""

import difflib
import math
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec

from headrace.agents.expressions import compile_expression
from headrace.app.access import Access
from headrace.app.credentials import BrokerTls, Sasl, WebTls, read_secret, trusting
from headrace.app.keys import Keys, parse_keys
from headrace.app.peers import Address, Place, is_loopback
from headrace.app.proof import Proofs
from headrace.app.shared_secrets import GROUP_SECRET, SNAPSHOT_KEY, WeakSecret, find_weak
from headrace.learning.errors import ModelError, RecordError, SettingsError
from headrace.learning.records.schema import find_bad_feature
from headrace.learning.records.stored import StoredSchema
from headrace.learning.task import Duration, Task
from headrace.learning.task.duration import seconds
from headrace.learning.task.source import Source
from headrace.tables.kafka.clients import Brokers
from headrace.tables.kafka.topics import topics_of

DEFAULT = "headrace.toml"
EMBEDDED = "kafka://127.0.0.1:9092"
"""Where the embedded broker listens; also what is meant when no broker is named."""

PORT_MAX = 65_535

SECTIONS = ["broker", "worker", "features", "tasks"]

ELSEWHERE = {
    "name": "The table's own name is the task's.",
    "label": "Leave it out, and name the label's column when you send: headrace send --label COLUMN.",
}
"""What is said in another place than in the table of a task, and where."""


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
        are API keys: no question is passed on. See "What workers tell each other" in docs/operations.md.
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
        API keys: see "API keys" in docs/operations.md. `HEADRACE_KEYS` adds to them. Without any, every request is answered.
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

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", self.url and self.shown), ("ttl", self.ttl), ("budget_ms", self.budget_ms)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, and the file that they are from.

    Examples
    --------
    >>> settings = parse({"tasks": {"phishing": {"kind": "binary"}}}, Path("headrace.toml"))
    >>> str(settings.brokers), settings.address, settings.tasks["phishing"].model
    ('127.0.0.1:9092', 'http://127.0.0.1:6066', 'logistic')
    """

    path: Path
    broker: Broker
    worker: Worker
    features: Features
    tasks: dict[str, Task]

    @property
    def brokers(self) -> Brokers:
        """The brokers, with what they want to see; SettingsError if a certificate or a password cannot be read."""
        tls = BrokerTls() if self.broker.tls is True else self.broker.tls or None
        return Brokers(
            (self.broker.url or EMBEDDED).removeprefix("kafka://"),
            tls=tls.context(self.folder) if tls else None,
            login=self.broker.sasl.login(self.folder) if self.broker.sasl else None,
        )

    @property
    def web_host(self) -> str:
        """The host to listen on."""
        return self.worker.web.rpartition(":")[0]

    @property
    def web_port(self) -> int:
        """The port to listen on."""
        return int(self.worker.web.rpartition(":")[2])

    @property
    def address(self) -> str:
        """Where this worker is reached."""
        return self.worker.address or f"{'https' if self.worker.tls else 'http'}://{self.worker.web}"

    @property
    def folder(self) -> Path:
        """What the files that are named here are relative to."""
        return self.path.parent

    @property
    def datadir(self) -> Path:
        """The folder of the databases."""
        return self.folder / self.worker.datadir

    def keys(self) -> Keys:
        """The API keys, of the file and of HEADRACE_KEYS (lines, or parted by `;`). SettingsError if they cannot be read."""
        found = parse_keys(os.environ.get("HEADRACE_KEYS", "").replace(";", "\n"), "HEADRACE_KEYS")
        if self.worker.keys_file is not None:
            path = self.folder / self.worker.keys_file
            try:
                text = read_secret(path, "worker.keys_file")
            except SettingsError as error:
                raise SettingsError(f"{self.path}: {error.what}", error.remedy) from None
            kept = parse_keys(text, str(path))
            if not kept:
                raise _error(self.path, "worker.keys_file", "names a file without a key", "Make one: headrace key.")
            found += kept
        return Keys(found)

    def access(self) -> Access:
        """How to ask a worker of these settings: HEADRACE_KEY is the key, `worker.tls.ca` signs the certificates."""
        ca = self.worker.tls.ca if self.worker.tls else None
        tls = trusting(ca, self.folder, "worker.tls.ca") if self.address.startswith("https:") else None
        return Access(os.environ.get("HEADRACE_KEY") or None, tls)

    def snapshot_key(self) -> bytes | None:
        """The secret that signs snapshots and the segments of the pending table, if one is configured. SettingsError as for `group_secret`."""
        return SNAPSHOT_KEY.read(self.path, self.worker)

    def group_secret(self) -> bytes | None:
        """The secret that all workers of the group share, if one is configured.

        SettingsError if its file cannot be read or is empty, if the environment variable is empty, also beside a file, or if the secret
        is so short that it could be guessed.
        """
        return GROUP_SECRET.read(self.path, self.worker)

    def weak_secrets(self) -> Iterator[WeakSecret]:
        """What is amiss with the secrets and hinders no worker. SettingsError as for `group_secret`."""
        group, snapshots = self.group_secret(), self.snapshot_key()
        yield from find_weak(self.folder, [GROUP_SECRET.named(self.worker), SNAPSHOT_KEY.named(self.worker)])
        if group is not None and group == snapshots:
            what = "the group secret is the snapshot key too: who learns one of them has both"
            yield WeakSecret(what, "Make another for one of them: openssl rand -hex 32.")
        if self.worker.unsigned and snapshots is not None:
            yield WeakSecret("worker.unsigned has no effect beside a snapshot key", "Leave one of them out.")

    def check_signed(self) -> None:
        """SettingsError if others may reach the broker, and what they write into a task's snapshots would be taken up."""
        hosts = [place.rpartition(":")[0] for place in self.brokers.hosts.split(",")]
        if self.worker.unsigned or self.snapshot_key() is not None or all(map(is_loopback, hosts)):
            return
        raise SettingsError(
            f"{self.path}: the broker {self.brokers.hosts} can be reached by others, and there is no snapshot key: a model would be taken "
            "from whoever can write a task's snapshots.",
            "Make a key for all workers, openssl rand -hex 32 > snapshot.key, and set worker.snapshot_key_file or HEADRACE_SNAPSHOT_KEY; "
            "where Kafka's ACLs let only the workers write <task>.snapshots and <task>.pending, worker.unsigned = true will do.",
        )

    def proofs(self) -> Proofs | None:
        """What proves to other workers that this one is of the group; None without a group secret."""
        secret = self.group_secret()
        return None if secret is None else Proofs(secret, self.address)


def load(path: str | None = None) -> Settings:
    """The settings of a file: the one named, or HEADRACE_CONFIG, or `headrace.toml` here.

    Raises
    ------
    SettingsError
        Names the file, the key and the remedy.
    """
    file = Path(path or os.environ.get("HEADRACE_CONFIG") or DEFAULT)
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{file} is not there.", "Make one: headrace init. Or name it: --config FILE.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} cannot be read: {error}.", "Name a readable text file.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not TOML: {error}.", "Correct that line.") from None
    return parse(raw, file)


def parse(raw: dict[str, Any], path: Path) -> Settings:
    """Settings from their plain form; SettingsError as for `load`."""
    for key in raw:
        if key not in SECTIONS:
            raise _unknown(path, "", key, SECTIONS)
    broker = _section(path, "broker", raw.get("broker", {}), Broker, {"tls": BrokerTls, "sasl": Sasl})
    worker: Worker = _section(path, "worker", raw.get("worker", {}), Worker, {"tls": WebTls})
    if not 0 < int(worker.web.rpartition(":")[2]) <= PORT_MAX:
        raise _error(path, "worker.web", "names a port that is not from 1 to 65535", "Name another port.")
    _check_reach(path, worker)
    if not math.isfinite(worker.snapshot_seconds):
        raise _error(path, "worker.snapshot_seconds", "is not finite", "Give a number of seconds.")
    features: Features = _section(path, "features", raw.get("features", {}), Features)
    _check_features(path, features)
    declared = raw.get("tasks", {})
    if not isinstance(declared, dict) or not declared:
        raise _error(path, "tasks", "has no task", "Declare one: [tasks.NAME] with a kind.")
    tasks = {name: _task(path, name, table) for name, table in declared.items()}
    return Settings(path=path, broker=broker, worker=worker, features=features, tasks=tasks)


def without_password(url: str) -> str:
    """A URL as it may be shown.

    Examples
    --------
    >>> without_password("redis://me:secret@cache:6379/0?password=secret")
    'redis://cache:6379/0'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _section(path: Path, where: str, raw: object, shape: type[Any], within: dict[str, type[Any]] | None = None) -> Any:
    """A table as a struct; `within` names the tables in it that have a struct of their own."""
    if not isinstance(raw, dict):
        raise _error(path, where, "is not a table", f"Write [{where}].")
    for key, inner in (within or {}).items():
        if isinstance(raw.get(key), dict):
            _section(path, f"{where}.{key}", raw[key], inner)
    known = [field.name for field in msgspec.structs.fields(shape) if field.name != "name"]
    for key in raw:
        if key not in known and not (where.startswith("tasks.") and key == "name"):
            raise _unknown(path, where, key, known)
    try:
        return msgspec.convert(raw, shape)
    except msgspec.ValidationError as error:
        what, _, at = str(error).partition(" - at `$")
        at = at.rstrip("`")
        if "matching regex" in what:
            what = "It is not in the expected form"  # the example in the remedy shows the form
        raise _error(
            path, where + at, f"is wrong: {what[0].lower()}{what[1:]}", _unquoted(raw, what, at) or _remedy(shape, at)
        ) from None


def _unquoted(raw: dict[str, Any], what: str, at: str) -> str:
    """The remedy where a number or a boolean stands in quotes; otherwise nothing."""
    value: Any = raw
    for key in at.removeprefix(".").split("."):
        value = value.get(key) if isinstance(value, dict) else None
    wanted, _, found = what.partition(", got ")
    if found != "`str`" or not isinstance(value, str):
        return ""
    forms = {"int": r"-?\d+", "float": r"-?\d+(\.\d+)?", "bool": "true|false"}
    fits = any(name in wanted and re.fullmatch(form, value) for name, form in forms.items())
    return f"Write {value}, without quotes." if fits else ""


def _remedy(shape: type[Any], at: str) -> str:
    """What the member of a struct at `at` may be: its choices, or an example."""
    hint = get_type_hints(shape, include_extras=True).get(at.removeprefix("."))
    for part in (hint, *get_args(hint)):
        if get_origin(part) is Literal:
            return f"Write one of: {', '.join(map(str, get_args(part)))}."
        for meta in getattr(part, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.examples:
                return f"Write it like {meta.examples[0]}."
    return "See docs/operations.md for what it takes."


def _task(path: Path, name: str, raw: object) -> Task:
    from headrace.learning.models import build

    where = f"tasks.{name}"
    if not isinstance(raw, dict):
        raise _error(path, where, "is not a table", f"Write [{where}].")
    if stray := next((key for key in ELSEWHERE if key in raw), None):
        raise _error(path, f"{where}.{stray}", "is not a setting", ELSEWHERE[stray])
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise _error(path, where, "is no name for a task", "Use up to 63 lower-case letters, digits, '_' and '-'.")
    if "kind" not in raw:
        raise _error(path, f"{where}.kind", "is missing", "Set binary, multiclass or regression.")
    features = raw.get("features")
    if isinstance(features, dict):
        for feature, table in features.items():
            _check_feature(path, f"{where}.features.{feature}", table)
    if isinstance(sources := raw.get("sources"), list):
        for number, table in enumerate(sources):
            _check_source(path, f"{where}.sources[{number}]", table)
    task: Task = _section(path, where, raw | {"name": name}, Task)
    if task.labels is not None and task.kind != "multiclass":
        raise _error(path, f"{where}.labels", f"is not for {task.kind} tasks", "Leave it out.")
    _check_stored(path, task)
    if own := {topic.name for topic in topics_of(task)} & {source.topic for source in task.sources or ()}:
        raise _error(path, f"{where}.sources", f"names {own.pop()}, a topic of this task", "Name a topic of others.")
    if ":" in task.model_name:  # the module of a user's own model may lie beside the settings
        import_from(str(path.resolve().parent))
    try:
        build(task.model, task.kind)
    except ModelError as error:
        raise _error(path, f"{where}.model", f"is wrong: {error.what.rstrip('.')}", error.remedy) from None
    return task


def import_from(folder: str) -> None:
    """Let what lies in a folder be imported: before what is installed, which may have the same name, and behind Python's own."""
    if folder not in sys.path:
        installed = (at for at, place in enumerate(sys.path) if place.endswith(("site-packages", "dist-packages")))
        sys.path.insert(next(installed, len(sys.path)), folder)


def _check_source(path: Path, where: str, raw: object) -> None:
    source: Source = _section(path, where, raw, Source)
    for key, expression in source.expressions():
        try:
            compile_expression(expression)
        except ValueError as error:
            remedy = "Correct the expression: https://jmespath.org says how they are written."
            raise _error(path, f"{where}.{key}", f"is no JMESPath expression: {error}", remedy) from None


def _check_feature(path: Path, where: str, raw: object) -> None:
    from headrace.learning.task import Feature

    if not isinstance(raw, dict):
        raise _error(path, where, "is not a table", 'Write for example { type = "float" }.')
    feature: Feature = _section(path, where, raw, Feature)
    for bound in ("min", "max"):
        if math.isnan(getattr(feature, bound) or 0.0):
            raise _error(path, f"{where}.{bound}", "is not a number", "Give a number, or leave it out.")
    if feature.min is not None and feature.max is not None and feature.min > feature.max:
        raise _error(path, where, f"has min {feature.min:g} above max {feature.max:g}", "Exchange them.")
    numeric = feature.type in ("float", "int")
    if not numeric and (feature.min is not None or feature.max is not None):
        raise _error(path, where, f"has a range, but its type is {feature.type}", "Leave min and max out.")
    if feature.values is not None and feature.type != "string":
        raise _error(path, where, f"lists values, but its type is {feature.type}", "Leave values out.")


def _check_reach(path: Path, worker: Worker) -> None:
    name, address, remedy = "address", worker.address, "Write it like http://10.0.0.5:6066: no path, and always a port."
    if address is None:
        name, address = "web", f"http://{worker.web}"
        remedy = "Write it like 127.0.0.1:6066, or set worker.address to where others reach this worker."
    try:
        Address.parse(address)
    except ValueError as error:
        raise _error(path, f"worker.{name}", f"is wrong: {error}", remedy) from None
    for number, place in enumerate(worker.peers or ()):
        try:
            Place.parse(place)
        except ValueError as error:
            remedy = "Write a host, host:port, or a network like 10.0.0.0/8."
            raise _error(path, f"worker.peers[{number}]", f"is wrong: {error}", remedy) from None


def _check_features(path: Path, features: Features) -> None:
    try:
        if features.ttl_seconds == 0:
            raise ValueError("0 is no time to live")
    except ValueError as error:
        raise _error(path, "features.ttl", f"is wrong: {error}", 'Write for example "7d", or leave it out.') from None
    if features.url is None:
        return
    try:  # nothing of the URL is told, for there may be a password in any part of one that is wrong
        parts = urlsplit(features.url)
        fits = parts.scheme in ("redis", "rediss") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        form = "redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE], or rediss:// for TLS"
        raise _error(path, "features.url", f"is not {form}", "Percent-encode what is special in the password.")


def _check_stored(path: Path, task: Task) -> None:
    schema = StoredSchema(task)
    for name, stored in schema.stored.items():
        where = f"tasks.{task.name}.stored.{name}"
        if bad := find_bad_feature({name: True}):
            raise _error(path, where, f"is no name for a feature: {bad.what.rstrip('.')}", bad.remedy)
        declared = None if task.features is None else task.features.get(name)
        if task.features is not None and declared is None:
            raise _error(path, where, "is not among the task's features", f"Declare it: [tasks.{task.name}.features].")
        if stored.default is None:
            if declared is not None and not declared.optional:
                what = "has no default, and the feature is not optional: without the store there would be no answers"
                raise _error(path, where, what, "Give it a default, or declare the feature optional.")
            continue
        try:
            schema.check(name, stored.default)
        except RecordError as error:
            raise _error(path, f"{where}.default", f"is wrong: {error.what.rstrip('.')}", error.remedy) from None


def _unknown(path: Path, where: str, key: str, known: list[str]) -> SettingsError:
    near = difflib.get_close_matches(key, known, 1)
    remedy = f"Did you mean '{near[0]}'?" if near else f"Known here: {', '.join(known)}."
    return SettingsError(f"{path}: unknown key '{where + '.' if where else ''}{key}'.", remedy)


def _error(path: Path, key: str, what: str, remedy: str) -> SettingsError:
    return SettingsError(f"{path}: '{key}' {what}.", remedy)
