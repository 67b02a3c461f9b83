"""Says why an HTTP request to a hook or to another worker has failed, without the URL and without what was answered."""

import aiohttp


def say_unreached(error: Exception) -> str:
    """Say why a request has failed. The text of the error itself may show a secret of the URL, or quote the answer.

    Examples
    --------
    >>> say_unreached(TimeoutError()), say_unreached(aiohttp.ServerDisconnectedError())
    ('there was no answer in time', 'the connection was ended')
    """
    if isinstance(error, TimeoutError):
        return "there was no answer in time"
    if isinstance(error, aiohttp.ClientSSLError):
        return "the certificate cannot be trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return "nobody listens at the address"
    if isinstance(error, OSError | aiohttp.ServerConnectionError):
        return "the connection was ended"
    return "the answer cannot be read"
