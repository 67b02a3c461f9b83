"""Packs the rejected rows of a source into records of the quarantine, one for a run of rows with the same code."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from headrace.agents.mapping import Rejected
from headrace.agents.outlet import headers_of
from headrace.learning.effects import Quarantined
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.task import Task
from headrace.tables.kafka.appender import NewMessage


def pack_rejected(
    task: Task, topic: str, partition: int, rejected: Sequence[tuple[KafkaMessage, Rejected]]
) -> list[NewMessage]:
    """Pack rejected rows of a source partition into records of the quarantine, in the order of the rows.

    Rows that follow each other in one message and have the same code share a record. Each record has several headers, so otherwise a message
    of short rows that are all wrong would become many times as large. The shared record has the reason of the first row, the number of rows
    in the header `rows`, and the lines of the rows as its value.

    Parameters
    ----------
    task
        The task with the quarantine.
    topic, partition
        The source partition of the rows.
    rejected
        The rows with their messages, in order.
    """
    packed = []
    for run in _runs(rejected):
        message, first = run[0]
        effect_id = f"{task.name}/{topic}/{partition}/{message.offset}/{first.row}"
        lines = [row.value for _, row in run]
        is_one = all(line is lines[0] for line in lines)  # the message itself, which several sources have rejected
        value = lines[0] if is_one else b"\n".join(lines)
        effect = Quarantined(id=effect_id, code=first.code, reason=first.reason, offset=message.offset, row=first.row,
                             key=message.key, value=value)  # fmt: skip
        headers = headers_of(effect, topic, partition)
        if len(run) > 1:
            headers.append(("rows", str(len(run)).encode()))
        packed.append(NewMessage(partition % task.partitions, message.key, value, headers))
    return packed


def _runs(rejected: Sequence[tuple[KafkaMessage, Rejected]]) -> Iterator[Sequence[tuple[KafkaMessage, Rejected]]]:
    start = 0
    for at, ((before, last), (message, row)) in enumerate(pairwise(rejected), 1):
        if (message.offset, row.row, row.code) != (before.offset, last.row + 1, last.code):
            yield rejected[start:at]
            start = at
    if rejected:
        yield rejected[start:]
