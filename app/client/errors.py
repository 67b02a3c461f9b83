"""The errors of a client: a base class, and a subclass for each case that a program may want to handle by itself."""

import msgspec

from headrace.app.client.sent import Sent
from headrace.learning.errors import HeadraceError
from headrace.learning.task import Json


class ClientError(HeadraceError):
    """A client did not get the answer that it asked for. All other errors of a client are subclasses of this one.

    Attributes
    ----------
    sent
        If `send` was stopped by the error: what had become of the rows before. Those of the request that failed may be in the log.
    """

    code = "client"
    sent: Sent | None = None


class FrameError(ClientError):
    """A data frame cannot become records: it is none, a column that is named is not there or stands twice, or the task is not known."""

    code = "frame"


class UnreachableError(ClientError):
    """No worker answered: the address is wrong, the worker is down, its certificate is not trusted, or the timeout has passed."""

    code = "unreachable"


class UnexpectedAnswerError(ClientError):
    """A server answered, but not as a Headrace worker answers."""

    code = "unexpected_answer"


class RefusedError(ClientError):
    """A worker refused a request with a problem document (RFC 9457).

    Parameters
    ----------
    what
        The cause: the document's `detail`.
    remedy
        What the caller should do: the document's `remedy`.
    status
        The HTTP status.
    code
        The document's code, which is stable and meant for programs.
    retry_after
        The seconds to wait before another try; None if the worker names none.

    Examples
    --------
    >>> error = NotFoundError("there is no task 'adds'.", "Tasks here: ads.", status=404, code="unknown_task")
    >>> error.status, error.code, error.detail, error.remedy
    (404, 'unknown_task', "there is no task 'adds'.", 'Tasks here: ads.')
    >>> isinstance(error, ClientError)
    True
    """

    code = "refused"

    def __init__(
        self, what: str, remedy: str = "", *, status: int = 0, code: str = "refused", retry_after: float | None = None
    ):
        super().__init__(what, remedy)
        self.status, self.code, self.retry_after = status, code, retry_after

    @property
    def detail(self) -> str:
        """Return the cause, as the problem document has it."""
        return self.what


class InvalidRequestError(RefusedError):
    """The request is wrong, for example because the task does not take its features. It would be refused again (400, 408, 413, 415, 422)."""


class AccessError(RefusedError):
    """The request shows no API key that the worker knows, or a key without the role (401, 403)."""


class NotFoundError(RefusedError):
    """The task does not exist, or the entity has no stored features (404)."""


class ConflictError(RefusedError):
    """The id is taken, or the model has not folded the position that the question asks for (409)."""


class RateError(RefusedError):
    """The API key makes more requests a second than it may. `retry_after` says how long to wait (429)."""


class UnavailableError(RefusedError):
    """The worker, its model or the broker cannot answer now (500 and above)."""


STATUSES: dict[int, type[RefusedError]] = {
    **dict.fromkeys((400, 408, 413, 415, 422), InvalidRequestError),
    **dict.fromkeys((401, 403), AccessError),
    404: NotFoundError,
    409: ConflictError,
    429: RateError,
}
"""The error class of each status below 500. For any other status below 500 it is `RefusedError`."""


def refusal(status: int, content: bytes, reason: str, retry_after: str | None = None) -> RefusedError | None:
    """Return the error for a problem document; None if the content is no JSON object.

    Examples
    --------
    >>> refusal(409, b'{"code": "key", "detail": "a position is of one shard.", "remedy": "Send the key too."}', "Conflict")
    ConflictError('a position is of one shard.', 'Send the key too.')
    >>> refusal(502, b"<html>", "Bad Gateway")
    """
    try:
        document = msgspec.json.decode(content, type=dict[str, Json])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    detail, remedy, code = document.get("detail", reason), document.get("remedy", ""), document.get("code", "refused")
    error_class = UnavailableError if status >= 500 else STATUSES.get(status, RefusedError)
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return error_class(str(detail), str(remedy), status=status, code=str(code), retry_after=seconds)
