"""Turns the calls of both clients into HTTP requests, and the responses into answers or errors."""

import json
import os
import ssl
from typing import Any, get_origin

import httpx
import msgspec

from headrace.app.access import Access
from headrace.app.client.calls import Call, Result
from headrace.app.client.errors import ClientError, UnexpectedAnswerError, UnreachableError, refusal
from headrace.learning.plain import plain, plain_failure

ADDRESS = "http://127.0.0.1:6066"
"""The default address of a worker."""

TIMEOUT = 20.0
"""The default timeout in seconds. A worker waits up to 15 s for the broker before it refuses a request, and the refusal should arrive."""


class Exchange:
    """Turns calls into requests and responses into answers.

    Parameters
    ----------
    address
        The address of the worker, such as `http://127.0.0.1:6066`.
    key
        The API key that each request shows. None takes the key in HEADRACE_KEY; with an empty key, requests show none.
    tls
        The context that checks the worker's certificate. None trusts the system's certificates.

    Raises
    ------
    ClientError
        The address is no URL, or the key cannot be sent.
    """

    def __init__(self, address: str, key: str | None, tls: ssl.SSLContext | None):
        self.address = address.rstrip("/")
        self.access = Access((os.environ.get("HEADRACE_KEY") if key is None else key) or None, tls)
        if any(ord(character) < 32 or ord(character) == 127 for character in self.access.key or ""):
            raise ClientError("the API key has a line end or another control character.", "Give the key alone.")
        try:
            self.base_url = httpx.URL(self.address)
        except httpx.InvalidURL as error:
            raise ClientError(
                f"the address '{address}' is no URL: {plain_failure(error)}.", f"Write it like {ADDRESS}."
            ) from None

    def options(self, timeout: float | httpx.Timeout) -> dict[str, Any]:
        """Return the options of an httpx client. It uses no proxy and no `.netrc`, since the API key is for the worker alone."""
        headers = {"Content-Type": "application/json", **self.access.headers}
        encoded = {name: value.encode("utf-8", "surrogateescape") for name, value in headers.items()}
        options = {"base_url": self.base_url, "headers": encoded, "timeout": timeout, "trust_env": False}
        return options | {"verify": self._trusted()}

    def _trusted(self) -> ssl.SSLContext:
        """Return the context of the trusted certificates. Loading the system's takes a while, and an address without TLS needs none."""
        if self.access.tls is not None:
            return self.access.tls
        is_encrypted = self.base_url.scheme == "https"
        return ssl.create_default_context() if is_encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    @staticmethod
    def request(call: Call[Any]) -> dict[str, Any]:
        """Return the arguments of httpx's `request` for a call.

        NaN is sent as `NaN`, which the worker refuses. Other JSON encoders would send null, which is a missing value.
        """
        content = None if call.body is None else json.dumps(call.body).encode()
        return {"method": call.method, "url": call.path, "params": call.query or None, "content": content}

    def read(self, call: Call[Result], response: httpx.Response) -> Result:
        """Return the answer that a response holds.

        Raises
        ------
        RefusedError
            The worker refused the request.
        UnexpectedAnswerError
            The response is not one of a Headrace worker.
        """
        content = response.content
        if response.status_code >= 400:
            headers = response.headers
            refused = refusal(response.status_code, content, response.reason_phrase, headers.get("Retry-After"))
            raise refused or self._unexpected("a JSON object")
        try:
            return msgspec.json.decode(content, type=call.gives)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            shape = "a JSON list" if get_origin(call.gives) is list else "a JSON object"
            if isinstance(error, msgspec.ValidationError) and get_origin(call.gives) is not dict:
                shape += f" of the expected shape: {plain(error)}"
            raise self._unexpected(shape) from error

    def unreachable(self, error: httpx.RequestError) -> UnreachableError:
        """Return the error to raise if no response comes."""
        reason = plain_failure(error)
        return UnreachableError(f"no worker answers at {self.address}: {reason}.", "Start one: headrace worker.")

    def _unexpected(self, shape: str) -> UnexpectedAnswerError:
        return UnexpectedAnswerError(
            f"{self.address} answered something else than {shape}.", "Is it a Headrace worker?"
        )
