"""The refusal of a request, whichever way the request has come."""

from typing import Literal

from headrace.app.problems import ProblemCode
from headrace.learning.errors import HeadraceError

Kind = Literal["malformed", "unknown", "conflict", "too_large", "invalid", "throttled", "unavailable"]
"""Why a request is refused, in general: it cannot be read, it names something that is not there, it conflicts with the state, it or its
answer is too large, it breaks a rule, its sender asks too often, or the worker cannot answer it now."""


class RequestRefused(HeadraceError):
    """A request that is not answered. The edges map it: HTTP to a problem document, Kafka to a line `refused`.

    Parameters
    ----------
    kind
        Why, in general; HTTP has a status for each.
    code
        Stable, for programs. `PROBLEMS` has a row for it and the status of the kind.
    what
        What is wrong and why, for people.
    remedy
        What to do.
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
