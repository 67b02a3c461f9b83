"""The step `date`: a time becomes its hour, its day of the week and its month."""

from typing import Annotated

from msgspec import Meta

from headrace.learning.features.step import NUMBERS, Features, Step
from headrace.learning.tags import tagged
from headrace.learning.task import Value

DAYS = ("thu", "fri", "sat", "sun", "mon", "tue", "wed")
"""The first of January 1970 was a Thursday."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@tagged("feature-date/1")
class Date(Step):
    """Makes seconds since 1970 into three categories. A model that has them can learn what happens at night, on Sundays, or in winter.

    Parameters
    ----------
    utc_offset
        The hours that the clocks of the users are ahead of UTC, -14 to 14.

    Examples
    --------
    >>> Date(utc_offset=1.0).transform("at", 1767225600.0, {})
    {'at.hour': '1', 'at.weekday': 'thu', 'at.month': 'jan'}
    """

    takes = NUMBERS

    def __init__(self, utc_offset: Annotated[float, Meta(ge=-14, le=14)] = 0.0):
        self.utc_offset = utc_offset

    def transform(self, name: str, value: Value, x: Features) -> Features:  # noqa: ARG002
        """Return the hour, the day of the week and the month."""
        seconds = int((float(value) + self.utc_offset * 3600.0) // 1)
        day = seconds // 86_400
        return {
            f"{name}.hour": str(seconds % 86_400 // 3_600),
            f"{name}.weekday": DAYS[day % 7],
            f"{name}.month": MONTHS[month_of(day)],
        }


def month_of(day: int) -> int:
    """Return the month, 0 to 11, of a day that is counted from the first of January 1970, in the Gregorian calendar.

    Examples
    --------
    >>> month_of(0), month_of(58), month_of(59), month_of(-1)
    (0, 1, 2, 11)

    References
    ----------
    Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
    """
    of_cycle = (day + 719_468) % 146_097  # days since a first of March, of 400 years
    year = (of_cycle - of_cycle // 1_460 + of_cycle // 36_524 - of_cycle // 146_096) // 365
    of_year = of_cycle - (365 * year + year // 4 - year // 100)
    return ((5 * of_year + 2) // 153 + 2) % 12
