"""`Ending` ends a process in order. The tests run small programs, since each is ended."""

import json
import os
import signal
import subprocess
import sys
import textwrap

import harness
import pytest

PROGRAM = """
import asyncio, sys, threading, time
import uvloop
from headrace.app.ending import Ending, run
from headrace.app.logs import set_up_logging

class Service:
    crash_reason = None

    def __init__(self):
        self.loop = uvloop.new_event_loop()
        self.stopped = asyncio.Event()

    async def start(self):
        print("started", flush=True)
        await self.stopped.wait()

    async def stop(self):
        self.stopped.set()
        print("stopped in order", flush=True)

def forever():  # as Faust's consumer does
    while True:
        time.sleep(0.1)

threading.Thread(target=forever).start()
ending = Ending(set_up_logging("info").drain, seconds={seconds})
ending.watch()
{body}
ending.exit(run(Service(), ending))
"""


@pytest.fixture
def program(tmp_path):
    """Return a function that starts a program with a body of its own, and waits until it runs."""
    started = []

    def start(body="", seconds=30, waits=True):
        body = textwrap.dedent(body)
        path = {"PYTHONPATH": str(harness.ROOT)}
        log = (tmp_path / "log").open("wb")
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(body=body, seconds=seconds)],
            stdout=subprocess.PIPE, stderr=log, text=True, env=os.environ | path,
        )  # fmt: skip
        started.append(process)
        if waits:
            assert process.stdout.readline() == "started\n"
        process.log = lambda: [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_process_that_is_asked_ends_in_order_though_a_thread_of_its_runs_on(program, name):
    process = program()
    process.send_signal(getattr(signal, name))
    assert process.wait(60) == 0
    assert process.stdout.read() == "stopped in order\n"
    assert [line["event"] for line in process.log()] == ["stopping", "stopped"]


def test_the_end_comes_though_the_loop_is_held_up_and_says_by_what(program):
    holding = """
    async def hold(self):
        print("started", flush=True)
        while True:
            pass
    Service.start = hold
    """
    process = program(holding, seconds=1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1
    (error,) = [line for line in process.log() if line["level"] == "error"]
    assert "did not stop in time" in error["event"]
    assert error["where"][-1].endswith(" hold")


def test_the_end_comes_though_native_code_holds_the_interpreter(program):
    holding = """
    import re
    async def hold(self):
        print("started", flush=True)
        re.match(r"(a+)+$", "a" * 100 + "b")
    Service.start = hold
    """
    process = program(holding, seconds=1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 1


SAID = {"SystemExit(0)": "the code asks the process to end", "KeyboardInterrupt()": "keyboard interrupt"}
"""What the log says of an error that breaks out of the loop."""


@pytest.mark.parametrize(
    ("error", "where"), [("SystemExit(0)", "start"), ("SystemExit(0)", "task"), ("KeyboardInterrupt()", "task")]
)
def test_a_process_ends_when_its_loop_is_broken_out_of_and_says_so(program, error, where):
    raising = f"""
    async def fail():
        raise {error}
    async def start(self):
        print("started", flush=True)
        if "{where}" == "task":
            self.task = asyncio.create_task(fail())
            self.task.add_done_callback(lambda task: self.stopped.set())
            await self.stopped.wait()
        await fail()
    Service.start = start
    """
    process = program(raising)
    assert process.wait(60) == 1
    errors = [line for line in process.log() if line["level"] == "error"]
    assert errors[0]["error"] == SAID[error]
    assert "stopped in order" in process.stdout.read()


def test_a_service_that_has_crashed_ends_the_process(program):
    crashed = """
    async def start(self):
        print("started", flush=True)
        self.crash_reason = RuntimeError("the consumer is gone")
    Service.start = start
    """
    process = program(crashed)
    assert process.wait(60) == 1
    assert "the consumer is gone" in next(line for line in process.log() if line["level"] == "error")["error"]


def test_a_stop_that_fails_or_hangs_keeps_nobody(program):
    failing = """
    async def stop(self):
        raise RuntimeError("no")
    Service.stop = stop
    """
    process = program(failing)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert "could not be stopped in order" in [line["event"] for line in process.log()][1]


def test_a_second_interrupt_ends_at_once(program):
    hanging = """
    async def stop(self):
        print("stopping", flush=True)
        await asyncio.sleep(1000)
    Service.stop = stop
    """
    process = program(hanging, seconds=1000)
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


def test_a_signal_before_there_is_a_loop_ends_the_process(program):
    process = program('print("started", flush=True); time.sleep(1000)')
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_the_end_comes_though_nobody_reads_the_log(program, tmp_path):
    reader, writer = os.pipe()
    flooding = """
    import structlog
    for number in range(20_000):
        structlog.get_logger().info("x" * 100)
    """
    environment = os.environ | {"PYTHONPATH": str(harness.ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(body=textwrap.dedent(flooding), seconds=30)],
        stdout=subprocess.PIPE, stderr=writer, text=True, env=environment,
    )  # fmt: skip
    try:
        os.close(writer)
        assert process.stdout.readline() == "started\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        os.close(reader)


def test_a_child_can_be_terminated(program):
    """Signals that are blocked are inherited: `sigwait` would have cost that."""
    child = """
    import subprocess
    sleeping = subprocess.Popen(["sleep", "1000"])
    sleeping.terminate()
    print(sleeping.wait(), flush=True)
    """
    process = program(child, waits=False)
    assert process.stdout.readline() == "-15\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
