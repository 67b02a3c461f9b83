"""What it takes to be let in by a worker: for the command line. A worker that asks another shows no key, but a proof (`app/proof.py`)."""

from ssl import SSLContext

import msgspec


class Access(msgspec.Struct, frozen=True):
    """How to ask a worker.

    Parameters
    ----------
    key
        The API key to show, if any.
    tls
        How to check a worker's certificate; None for workers without TLS. With aiohttp:
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
        """The headers that show the key."""
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}

    def __repr__(self) -> str:
        return "Access(with a key)" if self.key else "Access(without a key)"
