"""The log of a worker: one line an event on stderr. Logging never raises and never waits, and logs the same cause once a minute."""

import atexit
import logging
import queue
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from time import monotonic
from typing import Any, NamedTuple, TextIO

import structlog

from headrace.app.errors import is_worth_logging
from headrace.app.request_id import current

Event = MutableMapping[str, Any]

LINES_MAX = 10_000
"""The largest number of lines that wait to be written. If nobody reads stderr, further lines are lost and counted."""

FLUSH_SECONDS = 1.0
"""How long the end of the process waits for the last lines to be written."""

REPEAT_SECONDS = 60.0
"""How long a cause is only counted after it was logged."""

CAUSES_MAX = 1_000
"""The largest number of causes that are remembered. The oldest is forgotten first, and logged again if it comes back."""

START_SECONDS = 30.0
"""How long after its start a worker leaves out the errors of a new Kafka, which is still making the topic of the consumer groups."""

STARTING = ("GroupCoordinatorNotAvailable", "Marking the coordinator dead")
"""Texts in aiokafka's lines about these errors, which are logged after START_SECONDS."""

IDENTITY = ("task", "partition", "source", "topic", "part", "name", "code")
"""The fields that distinguish causes of the same event: a second shard that stops is another cause. Offsets and times always differ, and do not."""


class LogWriter:
    """A text stream that writes lines from a thread of its own.

    A log line must neither end nor delay the code that logs: stderr may be a pipe whose reader has gone or no longer reads, or a file on a
    full disk. Lines that could not be written are counted, and the count is written when there is room again.

    Parameters
    ----------
    stream
        The stream to write to.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream
        self._lines: queue.Queue[str] = queue.Queue(LINES_MAX)
        self._lost = 0
        threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def write(self, line: str) -> int:
        """Put a line into the queue of the writing thread."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lost += 1
        return len(line)

    def flush(self) -> None:
        """Do nothing, since the code that logs must not wait."""

    def drain(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until all lines are written, for `seconds` at most."""
        done = self._lines.all_tasks_done
        with done:
            done.wait_for(lambda: not self._lines.unfinished_tasks, seconds)

    def _write_all(self) -> None:
        while True:
            line = self._lines.get()
            try:
                if self._lost:
                    lost, self._lost = self._lost, 0
                    try:
                        self._put(f'{{"event": "log lines were lost", "level": "warning", "lines": {lost}}}\n')
                    except (OSError, ValueError):
                        self._lost += lost
                        raise
                self._put(line)
            except (OSError, ValueError):  # nobody reads, no room, or the stream is closed
                self._lost += 1
            finally:
                self._lines.task_done()

    def _put(self, line: str) -> None:
        self._stream.write(line)
        self._stream.flush()


class Repeats:
    """Lets a cause through once in `seconds`, with the number of times that it was held back.

    Parameters
    ----------
    seconds
        How long a cause is held back after it was let through.
    clock
        Returns seconds of a monotonic clock.

    Examples
    --------
    >>> now = 0.0
    >>> repeats = Repeats(60.0, clock=lambda: now)
    >>> [repeats.take("broker"), repeats.take("broker"), repeats.take("disk")]
    [0, None, 0]
    >>> now = 60.0
    >>> repeats.take("broker")
    1
    """

    def __init__(self, seconds: float = REPEAT_SECONDS, clock: Callable[[], float] = monotonic):
        self.seconds, self.clock = seconds, clock
        self._causes: OrderedDict[object, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()  # Faust's consumer logs from a thread of its own

    def take(self, cause: object) -> int | None:
        """Return how often this cause was held back since it was last let through; None if it is held back now too."""
        with self._lock:
            now, (since, held) = self.clock(), self._causes.get(cause, (float("-inf"), 0))
            if now - since < self.seconds:
                self._causes[cause] = since, held + 1
                return None
            self._causes[cause] = now, 0
            self._causes.move_to_end(cause)
            if len(self._causes) > CAUSES_MAX:
                self._causes.popitem(last=False)
            return held


class Cause(NamedTuple):
    """The cause of a log line: two lines with equal causes count as repeats."""

    level: str
    event: str
    error: str
    identity: tuple[object, ...] = ()


def cause_of(level: str, event: str, error: object, fields: Mapping[str, object]) -> Cause:
    """Return the cause of a line. Numbers in its text do not make a difference; the fields of IDENTITY, such as the shard, do.

    Examples
    --------
    >>> cause_of("warning", "offset 17 failed", None, {}) == cause_of("warning", "offset 4711 failed", None, {})
    True
    >>> cause_of("error", "stopped", None, {"partition": 0}) == cause_of("error", "stopped", None, {"partition": 1})
    False
    """
    identity = tuple(str(fields[name]) for name in IDENTITY if name in fields)
    return Cause(level, _numberless(event), _numberless(repr(error)), identity)


def _numberless(text: str) -> str:
    return re.sub(r"\d+", "0", text[:500])


class HeadraceRepeats:
    """A structlog processor that holds back warnings and errors of a cause that was logged recently."""

    def __init__(self, repeats: Repeats):
        self.repeats = repeats

    def __call__(self, _logger: Any, _method: str, event: Event) -> Event:
        """Return the event, or raise DropEvent to hold it back."""
        level, info = event["level"], event.get("exc_info")
        if level not in ("warning", "error", "critical") and "error" not in event:
            return event
        error = event.get("error") or (sys.exc_info()[1] if info is True else info)
        held = self.repeats.take(cause_of(level, str(event["event"]), error, event))
        if held is None:
            raise structlog.DropEvent
        return {**event, "repeated": held} if held else event


class LibraryRepeats(logging.Filter):
    """A filter for the lines of libraries: holds back repeats, and turns aiokafka's errors into warnings.

    aiokafka logs an error for each request that fails, a hundred a second while the broker is away, and tries again. If it gives up, it
    raises an exception, which Headrace logs as an error.
    """

    def __init__(self, repeats: Repeats, clock: Callable[[], float] = monotonic):
        super().__init__()
        self.repeats, self.clock = repeats, clock
        self._started_at = clock()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether to write a record, and set its `repeated`."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # an argument that does not fit its place
            text = str(record.msg)
        if record.name.startswith("aiokafka") and record.levelno >= logging.ERROR:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        if any(word in text for word in STARTING) and self.clock() - self._started_at < START_SECONDS:
            return False
        error = record.exc_info[1] if record.exc_info else None
        held = self.repeats.take(cause_of(record.levelname, f"{record.name} {text}", error, {}))
        record.repeated = held
        return held is not None


def _add_repeated(_logger: Any, _method: str, event: Event) -> Event:
    held = getattr(event.get("_record"), "repeated", 0)
    return {**event, "repeated": held} if held else event


def _add_request_id(_logger: Any, _method: str, event: Event) -> Event:
    request_id = current()
    return event if request_id is None else {**event, "request_id": request_id}


def _add_process(process: int | None, _logger: Any, _method: str, event: Event) -> Event:
    return event if process is None else {**event, "process": process}


def set_up_logging(level: str, stream: TextIO | None = None, process: int | None = None) -> LogWriter:
    """Log one line an event to stderr, from Headrace and from libraries: readable on a terminal, as JSON elsewhere.

    Parameters
    ----------
    level
        The lowest level that Headrace logs.
    stream
        Where to log, if not to stderr.
    process
        The number of this process if several log to the same stream: each line carries it.
    """
    stream = stream or sys.stderr
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer = structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer(default=repr)
    writer, repeats = LogWriter(stream), Repeats()
    atexit.register(writer.drain)
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        HeadraceRepeats(repeats),
        _add_request_id,
        partial(_add_process, process),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(),
    ]
    # Lines of Faust and aiokafka below warnings, such as those about rebalances, are of no use to an operator.
    handler = logging.StreamHandler(writer)
    plain = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    foreign = [structlog.stdlib.add_log_level, structlog.stdlib.add_logger_name, _add_repeated, *shared[2:]]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=[plain, renderer], foreign_pre_chain=foreign))
    handler.addFilter(LibraryRepeats(repeats))
    logging.raiseExceptions = False  # a line that cannot be rendered is left out
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("aiohttp.server").addFilter(is_worth_logging)
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(number),
        processors=[*shared, renderer],
        logger_factory=structlog.PrintLoggerFactory(writer),  # type: ignore[arg-type]
    )
    return writer
