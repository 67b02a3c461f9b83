"""Event time: holds a record back until records with earlier event times have had time to come."""

from collections.abc import Iterator

from msgspec import UNSET

from headrace.learning.effects import Effect
from headrace.learning.fold.act import act
from headrace.learning.fold.learn import learn_collected
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.records import Record, Refused
from headrace.learning.turn import Origin, Turn
from headrace.learning.waiting.order import HeldRecord, Order


def hold(parts: LearnerParts, order: Order, turn: Turn, record: Record) -> None:
    """Hold a record back. A record that comes too late or too far ahead is handled at once or refused, as the task's `late` says."""
    clock = parts.state.clock
    time = clock if record.time is UNSET else round(record.time * 1000)
    fault = order.find_fault(time, clock)
    if fault is None:
        rank = 0 if record.features is UNSET else 1
        if order.hold(HeldRecord(time, rank, *turn.origin), clock):
            turn.alert("order_full", "so many records wait for their time that the earliest wait no longer.")
    elif parts.task.late == "quarantine":
        turn.refuse(*fault)
    else:
        act(parts, turn, record)


def settle(parts: LearnerParts, turn: Turn) -> Iterator[list[Effect]]:
    """Learn the collected labels, and handle the records that the watermark has reached; yield now and then to let other tasks run."""
    yield from learn_collected(parts, turn)
    while parts.order is not None and (held := parts.order.release()) is not None:
        yield turn.take()
        turn.held = Origin(held.offset, held.row, held.key, held.line)
        (record,) = parts.reader.read(held.line)
        if isinstance(record, Refused):  # the definition has changed since
            turn.refuse(record.code, record.reason, record.value)
        else:
            assert isinstance(record, Record)
            act(parts, turn, record)
        turn.held = None
        yield from learn_collected(parts, turn)
