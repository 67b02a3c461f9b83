"""Limits the bytes of the answers to one request."""

from typing import TypeVar

import msgspec

from headrace.app.serving.refused import RequestRefused
from headrace.learning.task import Json

ANSWERS_MAX = 4 << 20
"""The largest size of the answers to one request, in bytes. With many classes an answer is thousands of times as long as its question."""

AnswerT = TypeVar("AnswerT", dict[str, Json], msgspec.Raw)
"""An answer of a model here, or the bytes of another worker's answer."""

CHARACTER_BYTES = 6
"""The largest size of a character in JSON, as `\\u0000`."""

PARTS_BYTES = 5_120
"""No less than the size of an answer without its labels: three names of up to 256 characters, and numbers."""

LABEL_BYTES = 32
"""No less than the size of a label's probability, with quotes, colon and comma."""


class SizeLimit:
    """Counts the bytes of answers while they are made, and refuses the request when they exceed the limit.

    Answers that are certainly small are counted only when that matters, since an answer has to be encoded to be counted.

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
        self._uncounted: list[dict[str, Json]] = []
        self._surely_left = limit

    def take(self, answer: AnswerT) -> AnswerT:
        """Count one more answer and return it; RequestRefused if the answers exceed the limit."""
        if isinstance(answer, dict):
            self._surely_left -= largest(answer)
            self._uncounted.append(answer)
            if self._surely_left >= 0:
                return answer
        else:
            self.left -= len(memoryview(answer))
        for one in self._uncounted:
            self.left -= len(msgspec.json.encode(one))
        self._uncounted.clear()
        self._surely_left = self.left
        if self.left < 0:
            what = f"the answers have more than {self.limit} bytes."
            remedy = "Ask fewer questions at a time, or use fewer or shorter labels."
            raise RequestRefused("too_large", "too_large", what, remedy)
        return answer


def largest(answer: dict[str, Json]) -> int:
    r"""Return a size that an answer certainly does not exceed.

    Examples
    --------
    >>> labels = {"\u0000" * 300: 0.1 / 3.0, "b": 1.0}
    >>> answer = {"id": "x" * 256, "prediction": "\u0000" * 300, "probabilities": labels, "position": 2**63}
    >>> len(msgspec.json.encode(answer)) <= largest(answer)
    True
    """
    size, label, probabilities = PARTS_BYTES, answer.get("prediction"), answer.get("probabilities")
    if isinstance(label, str):
        size += CHARACTER_BYTES * len(label)
    if isinstance(probabilities, dict):
        size += LABEL_BYTES * len(probabilities) + CHARACTER_BYTES * sum(map(len, probabilities))
    return size
