"""The refusal of a request, over HTTP or Kafka."""

from typing import Literal

from headrace.app.problems import ProblemCode
from headrace.learning.errors import HeadraceError

Kind = Literal["malformed", "unknown", "conflict", "too_large", "invalid", "throttled", "unavailable"]
"""The general reason of a refusal: the request cannot be read, names something unknown, conflicts with the state, is too large or has too
large an answer, breaks a rule, comes too often, or cannot be answered now."""


class RequestRefused(HeadraceError):
    """A request cannot be answered. Over HTTP the error becomes a problem document, over Kafka a line with the effect `refused`.

    Parameters
    ----------
    kind
        The general reason, which has an HTTP status.
    code
        A stable code for programs. `PROBLEMS` has a row for the code with the status of the kind.
    what
        The cause, for people.
    remedy
        What the caller should do.
    retry
        Whether the same request may succeed in a second.

    Examples
    --------
    >>> refused = RequestRefused("unavailable", "opening", "shard 0 is being opened.", "Ask again in a second.", retry=True)
    >>> refused.kind, refused.code, refused.retry
    ('unavailable', 'opening', True)
    """

    code: ProblemCode

    def __init__(self, kind: Kind, code: ProblemCode, what: str, remedy: str = "", *, retry: bool = False):
        super().__init__(what, remedy)
        self.kind, self.code, self.retry = kind, code, retry
