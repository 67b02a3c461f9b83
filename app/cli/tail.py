"""`headrace tail`: the last records, predictions, signals or refused records of a task, and those that come."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import aclosing, suppress
from datetime import UTC, datetime

import click
from aiokafka import ConsumerRecord

from headrace.app.cli.options import as_json, asking, task_of
from headrace.app.cli.past import find_topic, telling_of_broker
from headrace.app.cli.terminal import say, say_json, shortened
from headrace.app.effects import describe_effect, pairs, plain
from headrace.app.settings import Settings
from headrace.learning.errors import BrokerError
from headrace.learning.task import Json
from headrace.tables.kafka.tail import tail as read_tail

TOPICS = {"records": "events", "predictions": "predictions", "signals": "signals", "quarantine": "quarantine"}
"""What can be followed, with the last part of the topic's name."""


@click.command()
@asking
@click.argument("task")
@click.argument("what", type=click.Choice(list(TOPICS)), default="records")
@click.option(
    "--last",
    "-n",
    type=click.IntRange(0, 100_000),
    default=10,
    show_default=True,
    help="How many messages to begin with.",
)
@click.option(
    "--follow/--no-follow", "-f", default=True, show_default=True, help="Go on with those that come, until Ctrl-C."
)
@as_json
def tail(settings: Settings, task: str, what: str, last: int, *, follow: bool, as_json: bool) -> None:
    """Show the last records of TASK as they stand in its topics, and those that come: one line each, with time and place.

    WHAT is records (the default), predictions, signals or quarantine. Predictions are there if the task has predictions = true.
    """
    topic = f"{task_of(settings, task).name}.{TOPICS[what]}"
    write = _write_json if as_json else _write_text
    with suppress(KeyboardInterrupt), telling_of_broker(settings):
        asyncio.run(_tail(settings, topic, last, write, follow=follow))


async def _tail(
    settings: Settings, topic: str, last: int, write: Callable[[ConsumerRecord], None], *, follow: bool
) -> None:
    found = await find_topic(settings, topic)
    if found is None or not found.partitions:
        raise BrokerError(f"there is no topic {topic} yet.", "A starting worker makes it: headrace worker.")
    async with aclosing(read_tail(settings.brokers, topic, found.partitions, last)) as messages:
        async for message in messages:
            if message is not None:
                write(message)
            elif not follow:
                return


def _write_text(message: ConsumerRecord) -> None:
    when = f"{datetime.fromtimestamp(message.timestamp / 1000, UTC):%Y-%m-%d %H:%M:%S}"
    for line in describe(message.value or b"", _headers(message)):
        say(f"{when} {message.partition}/{message.offset} {shortened(line)}", whole=True)


def _headers(message: ConsumerRecord) -> dict[str, str]:
    return {name: value.decode(errors="replace") for name, value in message.headers}


def _write_json(message: ConsumerRecord) -> None:
    headers = _headers(message)
    key = None if message.key is None else message.key.decode(errors="replace")
    for line in (message.value or b"").split(b"\n"):
        try:
            value = json.loads(line)
        except ValueError:
            value = line.decode(errors="replace")
        place = {"partition": message.partition, "offset": message.offset, "time": message.timestamp / 1000, "key": key}
        say_json(place | ({"headers": headers} if headers else {}) | {"value": value}, indent=None)


def describe(value: bytes, headers: dict[str, str]) -> Iterator[str]:
    r"""Describe each line of a message in one line.

    Parameters
    ----------
    value
        The lines of the message: records or effects.
    headers
        The headers of the message. Those of a refused record have its code and reason.

    Examples
    --------
    >>> list(describe(b'{"features": {"x": 1, "y": "a"}, "label": true}\n{"id": "q", "features": {}}\n{"id": "q", "label": 2}', {}))
    ['sample x=1 y=a -> true', 'question q', 'label q -> 2']
    >>> next(describe(b'{"control": "rollback", "to": "best"}', {}))
    'control rollback to=best'
    >>> next(describe(b'{"effect": "alert", "id": "ads/0/7/0/0", "code": "drift", "detail": "it rose", "time": 1.0}', {}))
    'alert drift: it rose'
    >>> next(describe(b'{"effect": "drift", "id": "of another"}', {}))
    'drift id=of another'
    >>> next(describe(b"{", {"code": "not_json", "reason": "it ends early."}))
    'not_json: it ends early. {'
    """
    if "code" in headers:
        yield f"{headers['code']}: {headers.get('reason', '')} {value.decode(errors='replace')}"
        return
    for line in value.split(b"\n"):
        try:
            record = json.loads(line)
        except ValueError:
            record = None
        yield _describe(record) if isinstance(record, dict) else line.decode(errors="replace")


def _describe(record: dict[str, Json]) -> str:
    if record.get("effect") is not None:
        return describe_effect(record)
    if "control" in record:
        arguments = {key: value for key, value in record.items() if key != "control"}
        return f"control {record['control']} {pairs(arguments)}".rstrip()
    return _describe_record(record)


def _describe_record(record: dict[str, Json]) -> str:
    """Describe a sample, a question or a label."""
    has_label = "label" in record
    with_features = "sample" if has_label else "question"
    parts = [with_features if "features" in record else "label"]
    if record.get("id") is not None:
        parts.append(str(record["id"]))
    parts.append(pairs(record.get("features") or {}))
    if has_label:
        parts.append(f"-> {plain(record['label'])}")
    return " ".join(part for part in parts if part)
