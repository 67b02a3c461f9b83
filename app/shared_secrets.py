"""Reads the secrets that all workers of a group share, and warns of weak ones."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from headrace.app.proof import SECRET_MIN
from headrace.learning.errors import SettingsError
from headrace.learning.plain import plain_failure


class SharedSecret(NamedTuple):
    """A secret of which every worker has a copy.

    Parameters
    ----------
    setting
        The setting of the worker that names the file of the secret.
    variable
        The environment variable that replaces the file.
    name
        The name of the secret in messages.
    """

    setting: str
    variable: str
    name: str

    def setting_and_file(self, worker: object) -> tuple[str, str | None]:
        """Return the setting and the file that it names in the settings of a worker; None as file if it is left out."""
        file: str | None = getattr(worker, self.setting)
        return f"worker.{self.setting}", file

    def read(self, settings: Path, worker: object) -> bytes | None:
        """Read the secret from its file, or else from the environment; None if it is in neither.

        Parameters
        ----------
        settings
            The path of the settings file: messages name it, and the path of the secret's file is relative to its folder.
        worker
            The settings of the worker.

        Raises
        ------
        SettingsError
            The file cannot be read, or is empty; the variable is set and empty, even if there is a file; or the secret is so short that it
            could be guessed.
        """
        setting, file = self.setting_and_file(worker)
        secrets: dict[str, bytes] = {}
        if file is not None:
            try:
                secrets[setting] = (settings.parent / file).read_bytes().strip()
            except OSError as error:
                what = f"{settings}: '{setting}' cannot be read: {plain_failure(error)}."
                raise SettingsError(what, "Name a readable file.") from None
        if self.variable in os.environ:
            secrets[self.variable] = os.environ[self.variable].encode("utf-8", "surrogateescape").strip()
        for place, secret in secrets.items():
            if not secret:
                raise SettingsError(f"{settings}: '{place}' is empty.", "Put a secret into it, or leave it out.")
        secret = next(iter(secrets.values()), b"")
        if secrets and len(secret) < SECRET_MIN:
            raise SettingsError(
                f"{settings}: the {self.name} has {len(secret)} bytes, and could be guessed.",
                f"Make one of {SECRET_MIN} bytes or more: openssl rand -hex 32.",
            )
        return secret or None


GROUP_SECRET = SharedSecret("group_secret_file", "HEADRACE_GROUP_SECRET", "group secret")
"""Proves to a worker that another worker belongs to its group."""

SNAPSHOT_KEY = SharedSecret("snapshot_key_file", "HEADRACE_SNAPSHOT_KEY", "snapshot key")
"""Signs the snapshots and segments that workers write for each other into topics."""


class WeakSecret(NamedTuple):
    """A warning about a secret with which a worker still runs: what is wrong, and what to do."""

    what: str
    remedy: str


def find_weak(folder: Path, settings: Iterable[tuple[str, str | None]]) -> Iterator[WeakSecret]:
    """Yield a warning if users other than the owner may read or write files of secrets. `settings` pairs settings and their files in `folder`."""
    if loose := [setting for setting, file in settings if file and is_open_to_others(folder / file)]:
        what = f"users of this machine other than the owner may read or write the file of {' and that of '.join(loose)}"
        yield WeakSecret(what, "Let only the worker's user: chmod 600, and chown where it is another's.")


def is_open_to_others(path: Path) -> bool:
    """Say whether users other than a file's owner may read or write it. False on systems without POSIX permissions."""
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
