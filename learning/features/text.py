"""The step `text`: a text becomes its words, hashed into a fixed number of columns."""

import re
from collections import Counter
from math import log
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from headrace.learning.features.hashing import Bits, cell_of
from headrace.learning.features.step import STRINGS, Features, Step
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Value

WORD = re.compile(r"\w+")

Weights = Literal["count", "tf_idf"]


def words_of(text: str, ngrams: int = 1) -> list[str]:
    """List the words of a text in lower case, and the sequences of up to `ngrams` of them.

    Examples
    --------
    >>> words_of("Call NOW!", ngrams=2)
    ['call', 'now', 'call now']
    """
    words = WORD.findall(text.lower())
    return words + [
        " ".join(words[at : at + size]) for size in range(2, ngrams + 1) for at in range(len(words) - size + 1)
    ]


@tagged("feature-text/1")
class Text(Step):
    """Makes a text into numbers: a column for each word, or each cell of the hash that words share.

    Parameters
    ----------
    weights
        `"tf_idf"`: a word that came in few of the texts so far weighs more. `"count"`: each word weighs the same.
    ngrams
        Sequences of up to so many words count too, 1 to 3.
    bits
        The number of columns is two to this power.

    Examples
    --------
    >>> step = Text(weights="count", bits=8)
    >>> step.transform("message", "Call now, call!", {})
    {'=~110=message': 1.6931471805599454, '=~19=message': 1.0}

    References
    ----------
    Salton and Buckley, "Term-weighting approaches in automatic text retrieval", 1988.
    """

    takes = STRINGS
    is_ready = True

    def __init__(self, weights: Weights = "tf_idf", ngrams: Annotated[int, Meta(ge=1, le=3)] = 1, bits: Bits = 16):
        self.weights, self.ngrams, self.bits = weights, ngrams, bits
        self.texts = 0
        self._texts_with = np.zeros(1 << bits if weights == "tf_idf" else 0)

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return the weight of each column that the text has words in."""
        found = self._cells(value)
        if self.weights == "count":
            return {f"=~{cell}={name}": 1.0 + log(count) for cell, count in found.items()}
        return {
            f"=~{cell}={name}": (1.0 + log(count))
            * (1.0 + log((1 + self.texts) / (1.0 + float(self._texts_with[cell]))))
            for cell, count in found.items()
        }

    def learn(self, value: Value, x: Features, y: Label | None) -> None:  # noqa: ARG002
        """Count in how many texts each word came."""
        if self.weights == "tf_idf":
            self.texts += 1
            for cell in self._cells(value):
                self._texts_with[cell] += 1.0

    def _cells(self, value: Value) -> Counter[int]:
        return Counter(cell_of(word, self.bits) for word in words_of(str(value), self.ngrams))
