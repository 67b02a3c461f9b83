"""Asking a worker over HTTP, from the command line."""

from headrace.app.client import Client, ClientError
from headrace.app.client.calls import Call
from headrace.app.settings import Settings
from headrace.learning.errors import HeadraceError
from headrace.learning.task import Json

KEY_REMEDIES = {
    "no_key": "Set HEADRACE_KEY.",
    "unknown_key": "Set HEADRACE_KEY to a key that the worker knows (a worker reads its keys when it starts).",
}
"""What to do about these codes of a worker, which tells a client of HTTP of headers instead."""


class AnswerError(HeadraceError):
    """A worker refused, or could not be reached."""

    code = "answer"


def ask(settings: Settings, method: str, path: str, body: Json = None, timeout: float = 10.0) -> dict[str, Json]:
    """The JSON that a worker answers with, as it is; AnswerError with its reason otherwise.

    The key to show is in HEADRACE_KEY; the certificate must be signed by `worker.tls.ca`, or by one that the system trusts.
    """
    access = settings.access()
    try:
        with Client(settings.address, key=access.key, tls=access.tls, timeout=timeout) as client:
            return client.ask(Call(method, path, dict[str, Json], body))
    except ClientError as error:
        raise AnswerError(error.what, KEY_REMEDIES.get(error.code, error.remedy)) from None
