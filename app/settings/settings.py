"""Holds all settings of a worker, and derives brokers, keys, secrets and addresses from them."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from headrace.app.access import Access
from headrace.app.credentials import BrokerTls, read_secret, trusting
from headrace.app.keys import ApiKeys, parse_keys
from headrace.app.peers import is_loopback
from headrace.app.proof import Proofs
from headrace.app.settings.notify import Notify
from headrace.app.settings.section import wrong_value
from headrace.app.settings.tables import Broker, Features, Worker
from headrace.app.shared_secrets import GROUP_SECRET, SNAPSHOT_KEY, WeakSecret, find_weak
from headrace.learning.errors import SettingsError
from headrace.learning.task import Task
from headrace.tables.kafka.clients import Brokers

EMBEDDED = "kafka://127.0.0.1:9092"
"""The address of the embedded broker, which is also the default of `broker.url`."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Holds all settings of a worker, and the path of their file.

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
    notify: Notify | None = None
    tasks: dict[str, Task]

    @property
    def brokers(self) -> Brokers:
        """Return the addresses and credentials of the brokers; SettingsError if a certificate or a password cannot be read."""
        tls = BrokerTls() if self.broker.tls is True else self.broker.tls or None
        return Brokers(
            (self.broker.url or EMBEDDED).removeprefix("kafka://"),
            tls=tls.context(self.folder) if tls else None,
            login=self.broker.sasl.login(self.folder) if self.broker.sasl else None,
        )

    @property
    def web_host(self) -> str:
        """Return the host to listen on."""
        return self.worker.web.rpartition(":")[0]

    @property
    def web_port(self) -> int:
        """Return the port to listen on."""
        return int(self.worker.web.rpartition(":")[2])

    @property
    def address(self) -> str:
        """Return the address at which others reach this worker."""
        return self.worker.address or f"{'https' if self.worker.tls else 'http'}://{self.worker.web}"

    @property
    def folder(self) -> Path:
        """Return the folder of `headrace.toml`, to which all paths in the settings are relative."""
        return self.path.parent

    @property
    def datadir(self) -> Path:
        """Return the folder of the databases."""
        return self.folder / self.worker.datadir

    def keys(self) -> ApiKeys:
        """Read the API keys from HEADRACE_KEYS (one a line, or separated by `;`) and from the file. SettingsError if they cannot be read."""
        keys = parse_keys(os.environ.get("HEADRACE_KEYS", "").replace(";", "\n"), "HEADRACE_KEYS")
        if self.worker.keys_file is not None:
            path = self.folder / self.worker.keys_file
            try:
                text = read_secret(path, "worker.keys_file")
            except SettingsError as error:
                raise SettingsError(f"{self.path}: {error.what}", error.remedy) from None
            from_file = parse_keys(text, str(path))
            if not from_file:
                raise wrong_value(
                    self.path, "worker.keys_file", "names a file without a key", "Make one: headrace key."
                )
            keys += from_file
        return ApiKeys(keys)

    def access(self) -> Access:
        """Return the access of a client to a worker of these settings: the API key HEADRACE_KEY, and the certificates of `worker.tls.ca`."""
        ca = self.worker.tls.ca if self.worker.tls else None
        tls = trusting(ca, self.folder, "worker.tls.ca") if self.address.startswith("https:") else None
        return Access(os.environ.get("HEADRACE_KEY") or None, tls)

    def snapshot_key(self) -> bytes | None:
        """Read the secret that signs snapshots and pending segments; None if none is configured. SettingsError as for `group_secret`."""
        return SNAPSHOT_KEY.read(self.path, self.worker)

    def group_secret(self) -> bytes | None:
        """Read the secret that all workers of the group share; None if none is configured.

        Raises
        ------
        SettingsError
            The file cannot be read or is empty, the environment variable is set and empty, or the secret is so short that it could be
            guessed.
        """
        return GROUP_SECRET.read(self.path, self.worker)

    def weak_secrets(self) -> Iterator[WeakSecret]:
        """Yield the weaknesses of the secrets that do not keep a worker from starting. SettingsError as for `group_secret`."""
        group, snapshots = self.group_secret(), self.snapshot_key()
        yield from find_weak(
            self.folder, [GROUP_SECRET.setting_and_file(self.worker), SNAPSHOT_KEY.setting_and_file(self.worker)]
        )
        if group is not None and group == snapshots:
            what = "the group secret is the snapshot key too: who learns one of them has both"
            yield WeakSecret(what, "Make another for one of them: openssl rand -hex 32.")
        if self.worker.unsigned and snapshots is not None:
            yield WeakSecret("worker.unsigned has no effect beside a snapshot key", "Leave one of them out.")

    def check_signed(self) -> None:
        """Raise SettingsError if others may reach the broker and could write snapshots that this worker would load."""
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
        """Return the signer of requests to other workers, which proves membership of the group; None without a group secret."""
        secret = self.group_secret()
        return None if secret is None else Proofs(secret, self.address)
