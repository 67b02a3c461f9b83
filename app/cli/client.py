"""Sends the requests of the command line to a worker over HTTP."""

from headrace.app.client import Client, ClientError
from headrace.app.client.calls import Call
from headrace.app.settings import Settings
from headrace.learning.errors import HeadraceError
from headrace.learning.task import Json

KEY_REMEDIES = {
    "no_key": "Set HEADRACE_KEY.",
    "unknown_key": "Set HEADRACE_KEY to a key that the worker knows (a worker reads its keys when it starts).",
}
"""Remedies for some codes of a worker, whose own remedies are about HTTP headers."""


class AnswerError(HeadraceError):
    """A worker refused a request, or could not be reached."""

    code = "answer"


def ask(settings: Settings, method: str, path: str, body: Json = None, timeout: float = 10.0) -> dict[str, Json]:
    """Send a request to a worker, and return its answer as parsed JSON; AnswerError with the reason if there is none.

    HEADRACE_KEY holds the API key. The worker's certificate must be signed by `worker.tls.ca`, or by an authority that the system trusts.
    """
    access = settings.access()
    try:
        with Client(settings.address, key=access.key, tls=access.tls, timeout=timeout) as client:
            return client.ask(Call(method, path, dict[str, Json], body))
    except ClientError as error:
        raise AnswerError(error.what, KEY_REMEDIES.get(error.code, error.remedy)) from None
