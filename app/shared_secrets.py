"""The secrets that all workers of a group share: where each is read from, and what may be amiss with it."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from headrace.app.proof import SECRET_MIN
from headrace.learning.errors import SettingsError


class SharedSecret(NamedTuple):
    """A secret of which every worker has a copy.

    Parameters
    ----------
    setting
        The setting of the worker that names its file.
    variable
        The environment variable that stands in for the file.
    name
        What it is called in messages.
    """

    setting: str
    variable: str
    name: str

    def named(self, worker: object) -> tuple[str, str | None]:
        """The setting, and the file that it names in the settings of a worker; None if it is left out."""
        file: str | None = getattr(worker, self.setting)
        return f"worker.{self.setting}", file

    def read(self, settings: Path, worker: object) -> bytes | None:
        """The secret, from its file or else from the environment; None if it is in neither.

        Parameters
        ----------
        settings
            The file of the settings: messages name it, and the secret's file is relative to its folder.
        worker
            The settings of the worker.

        Raises
        ------
        SettingsError
            The file cannot be read, or there is nothing in it; the variable is empty, also beside a file: whoever set it meant something
            by it; the secret is so short that it could be guessed.
        """
        setting, file = self.named(worker)
        found: dict[str, bytes] = {}
        if file is not None:
            try:
                found[setting] = (settings.parent / file).read_bytes().strip()
            except OSError as error:
                what = f"{settings}: '{setting}' cannot be read: {error}."
                raise SettingsError(what, "Name a readable file.") from None
        if self.variable in os.environ:
            found[self.variable] = os.environ[self.variable].encode("utf-8", "surrogateescape").strip()
        for place, secret in found.items():
            if not secret:
                raise SettingsError(f"{settings}: '{place}' is empty.", "Put a secret into it, or leave it out.")
        secret = next(iter(found.values()), b"")
        if found and len(secret) < SECRET_MIN:
            raise SettingsError(
                f"{settings}: the {self.name} has {len(secret)} bytes, and could be guessed.",
                f"Make one of {SECRET_MIN} bytes or more: openssl rand -hex 32.",
            )
        return secret or None


GROUP_SECRET = SharedSecret("group_secret_file", "HEADRACE_GROUP_SECRET", "group secret")
"""Proves to a worker that another one is of its group."""

SNAPSHOT_KEY = SharedSecret("snapshot_key_file", "HEADRACE_SNAPSHOT_KEY", "snapshot key")
"""Signs what workers write for each other into topics."""


class WeakSecret(NamedTuple):
    """What is amiss with a secret and hinders no worker: what is wrong, and what to do."""

    what: str
    remedy: str


def find_weak(folder: Path, named: Iterable[tuple[str, str | None]]) -> Iterator[WeakSecret]:
    """Yield a warning if the files of secrets, which settings in this folder name, are open to others than their owner."""
    if loose := [setting for setting, file in named if file and is_open_to_others(folder / file)]:
        what = f"users of this machine other than the owner may read or write the file of {' and that of '.join(loose)}"
        yield WeakSecret(what, "Let only the worker's user: chmod 600, and chown where it is another's.")


def is_open_to_others(path: Path) -> bool:
    """Whether users other than a file's owner may read or write it. Where permissions are not POSIX's, nothing is known of it."""
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
