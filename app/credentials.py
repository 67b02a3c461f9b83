"""Loads the certificates and passwords that the settings name. No error message contains a secret."""

import os
import ssl
from pathlib import Path

import msgspec

from headrace.learning.errors import SettingsError
from headrace.learning.plain import plain
from headrace.tables.kafka.clients import Login, Mechanism


class BrokerTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `broker.tls`: TLS to the brokers.

    Parameters
    ----------
    ca
        File of the certificates that sign the brokers' certificates; left out, the certificates that the system trusts.
    cert
        File of the certificate to show to the brokers, if they ask for one.
    key
        File of the key of `cert`. The key must not have a password.
    """

    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def context(self, folder: Path) -> ssl.SSLContext:
        """Make the TLS context for connections to the brokers; SettingsError if a file cannot be used. Files are relative to `folder`."""
        context = trusting(self.ca, folder, "broker.tls.ca")
        if self.cert is not None:
            _show(context, self.cert, self.key, folder, "broker.tls")
        elif self.key is not None:
            raise SettingsError("'broker.tls.key' has no 'broker.tls.cert'.", "Name both, or neither.")
        return context


class WebTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `worker.tls`: TLS of a worker's own address.

    Parameters
    ----------
    cert
        File of the certificate and its intermediate certificates.
    key
        File of the key of `cert`. The key must not have a password.
    ca
        File of the certificates that sign a worker's certificate, for the command line and for other workers; left out, the certificates
        that the system trusts (`SSL_CERT_FILE`).
    """

    cert: str
    key: str
    ca: str | None = None

    def context(self, folder: Path) -> ssl.SSLContext:
        """Make the TLS context of the web server; SettingsError if a file cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _show(context, self.cert, self.key, folder, "worker.tls")
        return context


class Sasl(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table `broker.sasl`: how a worker logs in to the brokers.

    Parameters
    ----------
    mechanism
        The SASL mechanism.
    username
        The name of the user.
    password_file
        File of the password; left out, `HEADRACE_SASL_PASSWORD` has the password.
    """

    mechanism: Mechanism
    username: str
    password_file: str | None = None

    def login(self, folder: Path) -> Login:
        """Return the mechanism, user and password; SettingsError if there is no password."""
        if self.password_file is None:
            password = os.environ.get("HEADRACE_SASL_PASSWORD", "")
        else:
            password = read_secret(folder / self.password_file, "broker.sasl.password_file")
        if not password:
            remedy = "Name a password_file, or set HEADRACE_SASL_PASSWORD."
            raise SettingsError("'broker.sasl' has no password.", remedy)
        return Login(mechanism=self.mechanism, username=self.username, password=password)


def trusting(ca: str | None, folder: Path, where: str) -> ssl.SSLContext:
    """Make a client's TLS context that trusts the certificates of a file, or of the system; SettingsError if the file cannot be used."""
    try:
        return ssl.create_default_context(cafile=None if ca is None else str(folder / ca))
    except OSError as error:  # ssl.SSLError is one
        raise _unusable(where, folder / (ca or ""), error) from None


def read_secret(path: Path, where: str) -> str:
    """Return the text of a file without surrounding white space; SettingsError if the file cannot be read."""
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
    reason = getattr(error, "strerror", None) or error
    return SettingsError(f"'{where}': {path} cannot be used: {plain(reason)}.", remedy)
