"""Limits the bytes of the answers to one request."""

from typing import TypeVar

import msgspec

from headrace.app.serving.refused import RequestRefused
from headrace.learning.task import Json

ANSWERS_MAX = 4 << 20
"""The largest size of the answers to one request, in bytes. With many classes an answer is thousands of times as long as its question."""

AnswerT = TypeVar("AnswerT", dict[str, Json], msgspec.Raw)
"""An answer of a model here, or the bytes of another worker's answer."""


class SizeLimit:
    """Counts the bytes of answers while they are made, and refuses the request when they exceed the limit.

    Parameters
    ----------
    limit
        The largest number of bytes of all answers together.

    Examples
    --------
    >>> size = SizeLimit(limit=20)
    >>> size.take({"prediction": 1})
    {'prediction': 1}
    >>> size.take({"prediction": 1})
    Traceback (most recent call last):
    ...
    headrace.app.serving.refused.RequestRefused: the answers have more than 20 bytes. Ask fewer questions at a time, or use fewer or shorter labels.
    """

    def __init__(self, limit: int):
        self.limit = self.left = limit

    def take(self, answer: AnswerT) -> AnswerT:
        """Count one more answer and return it; RequestRefused if the answers exceed the limit."""
        size = len(memoryview(answer)) if isinstance(answer, msgspec.Raw) else len(msgspec.json.encode(answer))
        self.left -= size
        if self.left < 0:
            what = f"the answers have more than {self.limit} bytes."
            remedy = "Ask fewer questions at a time, or use fewer or shorter labels."
            raise RequestRefused("too_large", "too_large", what, remedy)
        return answer
