"""The step `frequency`: a category becomes how often its value has come, which tells the rare from the common."""

from math import log

import numpy as np

from headrace.learning.features.hashing import Bits, cell_of, text_of
from headrace.learning.features.step import Features, Step
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Value


@tagged("feature-frequency/1")
class Frequency(Step):
    """Makes a value into the logarithm of the share of the records that had it; a value that never came has that of half a record.

    Parameters
    ----------
    bits
        The counts are kept in two to this power cells; values in one cell are counted together.

    Examples
    --------
    >>> step = Frequency()
    >>> for browser in ("Firefox", "Firefox", "Lynx"):
    ...     step.learn(browser, {}, True)
    >>> [round(step.transform("browser", one, {})["browser"], 2) for one in ("Firefox", "Lynx", "w3m")]
    [-0.47, -0.98, -2.08]
    """

    def __init__(self, bits: Bits = 16):
        self.bits = bits
        self.count = 0
        self._counts = np.zeros(1 << bits)

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return the logarithm of the share under the same name."""
        seen = float(self._counts[cell_of(text_of(value), self.bits)])
        return {name: log((seen + 0.5) / (self.count + 1.0))}

    def learn(self, value: Value, x: Features, y: Label | None) -> None:  # noqa: ARG002
        """Count the value."""
        self.count += 1
        self._counts[cell_of(text_of(value), self.bits)] += 1.0
