"""All settings of a worker, and what follows from them."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from headrace.app.access import Access
from headrace.app.credentials import BrokerTls, read_secret, trusting
from headrace.app.keys import Keys, parse_keys
from headrace.app.peers import is_loopback
from headrace.app.proof import Proofs
from headrace.app.settings.section import wrong_value
from headrace.app.settings.tables import Broker, Features, Worker
from headrace.app.shared_secrets import GROUP_SECRET, SNAPSHOT_KEY, WeakSecret, find_weak
from headrace.learning.errors import SettingsError
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers

EMBEDDED = "kafka://127.0.0.1:9092"
"""Where the embedded broker listens; also what is meant when no broker is named."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings, and the file that they are from.

    Examples
    --------
    >>> from headrace.app.settings import parse
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
                raise wrong_value(
                    self.path, "worker.keys_file", "names a file without a key", "Make one: headrace key."
                )
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
