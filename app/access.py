"""The API key and TLS context with which a client asks a worker. A worker that asks another worker shows a proof instead (`app/proof.py`)."""

from ssl import SSLContext

import msgspec


class Access(msgspec.Struct, frozen=True):
    """The API key and TLS context with which a client asks a worker.

    Parameters
    ----------
    key
        The API key to send, if any.
    tls
        The context that checks a worker's certificate; None for workers without TLS. With aiohttp:
        `ClientSession(connector=TCPConnector(ssl=access.tls or True))`.

    Examples
    --------
    >>> Access("secret").headers
    {'Authorization': 'Bearer secret'}
    """

    key: str | None = None
    tls: SSLContext | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers that contain the key."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    def __repr__(self) -> str:
        return "Access(with a key)" if self.key else "Access(without a key)"
