"""Certificates and passwords: what the settings name, and what is made of it. No message of an error holds a secret."""

import os
import ssl
from pathlib import Path

import msgspec

from headrace.learning.errors import SettingsError
from headrace.tables.kafka.clients import Login, Mechanism


class BrokerTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TLS to the brokers.

    Parameters
    ----------
    ca
        File of the certificates that the brokers' must be signed by; left out, those that the system trusts.
    cert
        File of the certificate to show to the brokers, where they want one.
    key
        File of its key, which must not have a password.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def context(self, folder: Path) -> ssl.SSLContext:
        """How to speak with the brokers; SettingsError when a file cannot be used. Files are relative to `folder`."""
        context = trusting(self.ca, folder, "broker.tls.ca")
        if self.cert is not None:
            _show(context, self.cert, self.key, folder, "broker.tls")
        elif self.key is not None:
            raise SettingsError("'broker.tls.key' has no 'broker.tls.cert'.", "Name both, or neither.")
        return context


class WebTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """TLS of a worker's own address.

    Parameters
    ----------
    cert
        File of the certificate, with those between it and its root.
    key
        File of its key, which must not have a password.
    ca
        File of the certificates that a worker's must be signed by, for the command line and for other workers; left out, those that
        the system trusts (`SSL_CERT_FILE`).
    """

    cert: str
    key: str
    ca: str | None = None

    def context(self, folder: Path) -> ssl.SSLContext:
        """How to answer; SettingsError when a file cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _show(context, self.cert, self.key, folder, "worker.tls")
        return context


class Sasl(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who we are to the brokers.

    Parameters
    ----------
    mechanism
        How the password is shown.
    username
        The user.
    password_file
        File of the password. Left out: `HEADRACE_SASL_PASSWORD`.
    """

    mechanism: Mechanism
    username: str
    password_file: str | None = None

    def login(self, folder: Path) -> Login:
        """User and password; SettingsError without a password."""
        if self.password_file is None:
            password = os.environ.get("HEADRACE_SASL_PASSWORD", "")
        else:
            password = read_secret(folder / self.password_file, "broker.sasl.password_file")
        if not password:
            remedy = "Name a password_file, or set HEADRACE_SASL_PASSWORD."
            raise SettingsError("'broker.sasl' has no password.", remedy)
        return Login(mechanism=self.mechanism, username=self.username, password=password)


def trusting(ca: str | None, folder: Path, where: str) -> ssl.SSLContext:
    """A client's context that trusts the certificates of this file, or those of the system; SettingsError if it cannot be used."""
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(folder / ca))
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(where, folder / (ca or ""), error) from None


def read_secret(path: Path, where: str) -> str:
    """The text of a file without the space around it; SettingsError when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(where, path, error, "Name a file that can be read.") from None


def _show(context: ssl.SSLContext, cert: str, key: str | None, folder: Path, where: str) -> None:
    def refuse() -> str:
        raise ssl.SSLError("the key has a password")  # otherwise OpenSSL asks for it on the terminal

    try:
        context.load_cert_chain(folder / cert, None if key is None else folder / key, refuse)
    except OSError as error:
        raise _unusable(where, folder / cert, error) from None


def _unusable(
    where: str, path: Path, error: Exception, remedy: str = "Name files that can be read and fit together."
) -> SettingsError:
    reason = getattr(error, "strerror", None) or str(error)
    return SettingsError(f"'{where}': {path} cannot be used: {reason}.", remedy)
