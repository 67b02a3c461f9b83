"""Places in a log as the command line names them: a position, or a time."""

import asyncio
from collections.abc import Iterable
from datetime import datetime

import click
from aiokafka.errors import KafkaError

from headrace.agents.replay import ReplayError
from headrace.app.cli.past import check_log
from headrace.app.settings import Settings
from headrace.learning.errors import BrokerError
from headrace.learning.plain import plain_failure
from headrace.learning.task import Task
from headrace.tables.kafka.log import KafkaEventLog

FIRST_TIME = 1_000_000_000
"""A whole number from here on is a time, in seconds since the epoch: it is in the year 2001. A smaller one is a position."""

PLACE = "POSITION|TIME"
"""How the help names a place."""


def is_position(text: str) -> bool:
    """Tell whether a text is a position, and not a time.

    Examples
    --------
    >>> is_position("1200"), is_position("1767225600"), is_position("2026-01-01T00:00:00+00:00")
    (True, False, False)
    """
    return text.isdigit() and int(text) < FIRST_TIME


def seconds_of(text: str) -> float:
    """Read a time: seconds since the epoch, or ISO 8601, of which one without a zone is local.

    Examples
    --------
    >>> seconds_of("1700000000.5"), seconds_of("2023-11-14T22:13:20+00:00")
    (1700000000.5, 1700000000.0)
    """
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise click.UsageError(f"'{text}' is no time: 2026-11-27T12:00:00+01:00, or seconds since the epoch.") from None


async def find_position(log: KafkaEventLog, partition: int, to: str | None) -> int:
    """Find the end that is meant: a position, the message behind the last one of a time, or the end of the log if nothing is.

    Raises
    ------
    ReplayError
        The log ends before.
    """
    end = (await log.ends([partition]))[partition]
    if to is None:
        return end
    if is_position(to):
        if int(to) > end:
            raise ReplayError(f"{log.topic}/{partition} ends at {end}, before position {to}.", f"Name one up to {end}.")
        return int(to)
    return await log.position_at(partition, milliseconds_of(to))


def find_ranges(
    settings: Settings, task: Task, partitions: Iterable[int], start: str | None, end: str | None = None
) -> dict[int, dict[str, int]]:
    """Find a range of the log in each partition, as a recipe names it: `start`, and `repeat_to` where the range has an end.

    A position is the same in each partition, and the log is not asked for it. A message of the time at either end is in the range.

    Raises
    ------
    BrokerError
        The log must be asked, and the broker failed.
    """
    named = {"start": (start, -1), "repeat_to": (end, 0)}
    places = {name: (text, shift) for name, (text, shift) in named.items() if text is not None}
    if all(is_position(text) for text, _ in places.values()):
        return {one: {name: int(text) for name, (text, _) in places.items()} for one in partitions}
    times = {
        name: None if is_position(text) else milliseconds_of(text) + shift for name, (text, shift) in places.items()
    }

    async def look() -> dict[int, dict[str, int]]:
        await check_log(settings, task)
        log, found = KafkaEventLog(task.events, settings.brokers), dict[int, dict[str, int]]()
        try:
            for one in partitions:
                found[one] = {
                    name: int(places[name][0]) if time is None else await log.position_at(one, time)
                    for name, time in times.items()
                }
        finally:
            await log.stop()
        return found

    try:
        return asyncio.run(look())
    except (KafkaError, OSError) as error:
        raise BrokerError(
            f"the broker at {settings.brokers} failed: {plain_failure(error)}.", "Look at the broker, and try again."
        ) from None


def milliseconds_of(text: str) -> int:
    """Read a time as Kafka has it. Raises as `seconds_of` does.

    Examples
    --------
    >>> milliseconds_of("1700000000.001")
    1700000000001
    """
    return round(seconds_of(text) * 1000)
