"""Rows for the kernel: the features of many records as numbers in columns."""

from array import array
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from headrace.learning.features.one_hot import LIMIT
from headrace.learning.features.strings import Strings, is_text
from headrace.learning.records.names import KnownNames
from headrace.learning.task import Value

MIXED = array("q")
"""The shape of rows that have strings."""


class Rows:
    """Collects the features of records, each as the columns that a model with the preparing step `Scale` has weights for.

    The columns are numbered in the order in which they come, which is the order in which a model would learn them.

    Parameters
    ----------
    strings
        What becomes of strings. It is only read: a row with a string that it would learn is not taken.
    names
        The names that may come; None for any. A row with another one is not taken.

    Attributes
    ----------
    columns
        The name of each column.
    is_scaled
        Whether it is of numbers, which are scaled.
    widths
        The number of values of each row.
    has_strings
        Whether a row has a string.
    """

    def __init__(self, strings: Strings, names: KnownNames | None = None):
        self._strings, self._known = strings, names
        self._index: dict[str, int] = {}
        self._shapes: dict[tuple[str, ...], array[int]] = {}
        self.is_scaled: list[bool] = []
        self.widths: list[int] = []
        self.has_strings = False
        self._places = array("q")
        self._values = array("d")

    def __len__(self) -> int:
        return len(self.widths)

    @property
    def columns(self) -> list[str]:
        """The name of each column."""
        return list(self._index)

    def add_many(self, many: Iterable[dict[str, Value]]) -> None:
        """Add the features of records, up to the first that cannot be taken."""
        shapes, places, values, widths = self._shapes, self._places, self._values, self.widths
        for features in many:
            names = tuple(features)
            shape = shapes.get(names)
            if shape is None:
                if not self._can_have(names):
                    return
                shape = shapes[names] = MIXED if str in map(type, features.values()) else self._columns(names)
            if shape is MIXED:
                if not self._add_mixed(features):
                    return
                continue
            try:
                # Whole numbers and booleans become floats.
                values.extend(features.values())  # type: ignore[arg-type]
            except TypeError:  # a string where the rows before had numbers
                del values[len(places) :]
                if not self._add_mixed(features):
                    return
                continue
            places.extend(shape)
            widths.append(len(names))

    def _can_have(self, names: tuple[str, ...]) -> bool:
        """Tell whether all names are known, and none has a mark."""
        return "=" not in "".join(names) and (self._known is None or self._known.keys() >= set(names))

    def _columns(self, names: Iterable[str]) -> "array[int]":
        return array("q", (self._column(name, is_scaled=True) for name in names))

    def _add_mixed(self, features: dict[str, Value]) -> bool:
        """Add features of which some are strings."""
        self.has_strings = True
        numbers: dict[str, Any] = {}
        scaled: list[bool] = []
        known, strings = self._strings.known, self._strings
        for name, value in features.items():
            if not isinstance(value, str):
                numbers[name] = value
                scaled.append(True)
                continue
            values = known.get(name)
            if values is None or (value not in values and len(values) < LIMIT and strings.room and not is_text(value)):
                return False  # the feature is about to be noted, or the value to get a column
            strings.put(numbers, name, value)
            scaled += [False] * (len(numbers) - len(scaled))
        self._places.extend([self._column(name, is_scaled=one) for name, one in zip(numbers, scaled, strict=True)])
        self._values.extend(numbers.values())
        self.widths.append(len(numbers))
        return True

    def _column(self, name: str, *, is_scaled: bool) -> int:
        place = self._index.get(name)
        if place is None:
            place = self._index[name] = len(self._index)
            self.is_scaled.append(is_scaled)
        return place

    def arrays(
        self, count: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Give the first rows as the compiled loops take them: `starts`, `columns`, `values` and `is_scaled`."""
        starts = np.array([*accumulate(self.widths[:count], initial=0)], np.int64)
        end = int(starts[-1])
        places, values = np.array(self._places[:end], np.int64), np.array(self._values[:end], np.float64)
        return starts, places, values, np.array(self.is_scaled, np.bool_)
