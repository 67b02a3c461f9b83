"""The log: a line never raises an error, never waits, and appears at most once a minute for each cause."""

import io
import json
import logging
import threading

import pytest
import structlog

from headrace.app.logs import LINES_MAX, HeadraceRepeats, LibraryRepeats, LogWriter, Repeats, set_up_logging


class Stream(io.StringIO):
    """A stream that can be made to fail or to wait."""

    error = None

    def __init__(self):
        super().__init__()
        self.free = threading.Event()
        self.free.set()

    def write(self, text):
        self.free.wait()
        if self.error:
            raise self.error
        return super().write(text)

    def lines(self):
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def root():
    """Yield the root logger without handlers, and restore it after the test."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    logger.handlers.clear()
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logging.raiseExceptions = True


@pytest.mark.parametrize("error", [BrokenPipeError(32, "EPIPE"), OSError(28, "ENOSPC"), ValueError("closed")])
def test_a_line_that_cannot_be_written_raises_nothing_and_is_counted(root, error):
    stream = Stream()
    writer = set_up_logging("info", stream)
    stream.error = error
    structlog.get_logger().info("ours")
    logging.getLogger("aiokafka").warning("theirs")
    writer.drain()
    stream.error = None
    structlog.get_logger().info("again")
    writer.drain()
    lost, again = stream.lines()
    assert (lost["event"], lost["lines"]) == ("log lines were lost", 2)
    assert again["event"] == "again"


def test_a_reader_that_does_not_read_holds_nobody_up():
    stream = Stream()
    writer = LogWriter(stream)
    stream.free.clear()
    for number in range(LINES_MAX + 12):
        writer.write(f"{number}\n")
    stream.free.set()
    writer.drain()
    lines = stream.getvalue().splitlines()
    lost = 12 - (len(lines) - 1 - LINES_MAX)  # the first may have been taken already
    assert f'"lines": {lost}' in stream.getvalue()


def test_a_closed_stream_raises_nothing():
    stream = io.StringIO()
    stream.close()
    writer = LogWriter(stream)
    writer.write("x\n")
    writer.drain()


def test_what_cannot_be_rendered_raises_nothing(root):
    stream = Stream()
    writer = set_up_logging("info", stream)
    logging.getLogger("theirs").warning("%d", "no number")
    structlog.get_logger().warning("an object", value=object())
    writer.drain()
    assert stream.lines()[-1]["event"] == "an object"


@pytest.fixture
def clock():
    """Return a clock whose `now` a test sets."""
    return type("Clock", (), {"now": 0.0, "__call__": lambda self: self.now})()


def test_a_cause_is_logged_once_a_minute_with_a_count(clock):
    processor = HeadraceRepeats(Repeats(60, clock))

    def log(level, event, **fields):
        try:
            return processor(None, level, {"event": event, "level": level, **fields})
        except structlog.DropEvent:
            return None

    assert log("warning", "the broker failed", task="a", partition=0, error="refused by node 1")
    assert log("warning", "the broker failed", task="a", partition=0, error="refused by node 2") is None
    assert log("warning", "the broker failed", task="a", partition=1, error="refused by node 1"), "another shard"
    assert log("warning", "the broker failed", task="a", partition=0, error="timed out"), "another cause"
    assert log("info", "cannot open a shard yet", task="a", partition=0, error="lock")
    assert log("info", "cannot open a shard yet", task="a", partition=0, error="lock") is None
    assert log("info", "shard", task="a", partition=0)
    assert log("info", "shard", task="a", partition=0), "what tells of no failure is always said"
    clock.now = 60.0
    assert log("warning", "the broker failed", task="a", partition=0, error="refused by node 1")["repeated"] == 1


def test_two_exceptions_are_two_causes(clock):
    processor = HeadraceRepeats(Repeats(60, clock))
    for error in (ValueError("x"), KeyError("x")):
        try:
            raise error
        except Exception:
            assert processor(None, "error", {"event": "a request failed", "level": "error", "exc_info": True})


def record(name, text, *args, level=logging.ERROR):
    return logging.LogRecord(name, level, __file__, 1, text, args, None)


def test_the_lines_of_a_library_are_held_back_too_and_errors_of_aiokafka_are_warnings(clock):
    clock.now = 1000.0
    filtered = LibraryRepeats(Repeats(60, clock), clock)
    lines = [record("aiokafka", "Unable connect to node with id %s: %s", number, "refused") for number in range(300)]
    passed = [line for line in lines if filtered.filter(line)]
    assert passed == lines[:1]
    assert passed[0].levelname == "WARNING"
    clock.now += 60
    (again,) = [line for line in lines if filtered.filter(line)]
    assert again.repeated == 299
    assert filtered.filter(record("faust", "Unable connect to node with id %s: %s", 1, "refused")), "another's"


def test_what_a_new_kafka_says_at_first_is_not_logged_unless_it_goes_on(clock):
    filtered = LibraryRepeats(Repeats(60, clock), clock)
    line = "Group Coordinator Request failed: [Error 15] GroupCoordinatorNotAvailableError"
    assert not filtered.filter(record("aiokafka.consumer.group_coordinator", line))
    assert filtered.filter(record("aiokafka.consumer.group_coordinator", "GroupAuthorizationFailedError"))
    clock.now = 31.0
    assert filtered.filter(record("aiokafka.consumer.group_coordinator", line))
