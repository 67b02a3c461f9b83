"""The parent of several processes, with small programs in place of workers."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import harness
import pytest

from headrace.app.place import Place, own_settings
from headrace.app.processes import DEATHS_MAX, Processes
from headrace.app.settings import parse
from headrace.learning.errors import SettingsError

STAYS = "import time; time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(600)"


class Run:
    """Processes that run in this one, each with the program that `program` gives for its place."""

    def __init__(self, program, count=2, **options):
        self.program, self.started = program, []
        self.processes = Processes(count, self.start, **({"pause": 0.01, "check": 0.02} | options))
        self.statuses = []

    def start(self, place):
        process = subprocess.Popen([sys.executable, "-IS", "-c", self.program(place)], stdout=subprocess.PIPE)
        self.started.append((place, process))
        return process

    def __enter__(self):
        self.thread = threading.Thread(target=lambda: self.statuses.append(self.processes.run()))
        self.thread.start()
        return self

    def __exit__(self, *_):
        for _, process in self.started:
            process.kill()
            process.wait()
            process.stdout.close()
        self.ask("SIGTERM")
        self.thread.join(30)

    def ask(self, name):
        self.processes._signals.put(name)

    def status(self):
        self.thread.join(60)
        assert not self.thread.is_alive()
        return self.statuses[0]


def test_a_killed_process_is_started_again_and_the_other_runs_on():
    with Run(lambda place: STAYS) as run:
        harness.wait_for(lambda: len(run.started) == 2, 30, "both started")
        (place, process), (_, other) = run.started
        process.send_signal(signal.SIGKILL)
        harness.wait_for(lambda: len(run.started) == 3, 30, "started again")
        assert run.started[2][0] == place._replace(is_again=True)
        assert other.poll() is None
        run.ask("SIGTERM")
        assert run.status() == 1  # a program that does not heed SIGTERM ends by it


def test_a_process_that_always_dies_ends_all_after_a_limit():
    with Run(lambda place: "raise SystemExit(3)" if place.number == 2 else STAYS) as run:
        assert run.status() == 1
        assert [place.number for place, _ in run.started].count(2) == DEATHS_MAX
        assert run.started[0][1].wait(30) == -signal.SIGTERM


def test_deaths_of_a_process_that_ran_for_long_are_no_row():
    with Run(lambda place: "raise SystemExit(3)", count=1, steady=0.0) as run:
        harness.wait_for(lambda: len(run.started) > DEATHS_MAX + 2, 30, "started more often than the limit")
        assert not run.statuses


def test_wrong_settings_end_all_at_once():
    with Run(lambda place: "raise SystemExit(2)" if place.number == 1 else STAYS) as run:
        assert run.status() == 1
        assert len(run.started) == 2


def test_wrong_settings_of_a_process_that_ran_before_are_a_death_like_others():
    processes = Processes(1, lambda place: None, steady=60.0)
    assert not processes._is_last(1, -signal.SIGKILL, seconds=100.0)
    assert [processes._is_last(1, 2, seconds=1.0) for _ in range(DEATHS_MAX - 1)] == [False] * (DEATHS_MAX - 2) + [True]


def test_a_process_that_does_not_end_is_killed():
    with Run(lambda place: DEAF, count=1, patience=0.5) as run:
        harness.wait_for(lambda: run.started, 30, "started")
        run.started[0][1].stdout.readline()
        run.ask("SIGTERM")
        assert run.status() == 1
        assert run.started[0][1].wait(30) == -signal.SIGKILL


def test_processes_that_end_in_order_have_the_status_0():
    program = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit()); print(flush=True); time.sleep(600)"
    with Run(lambda place: program) as run:
        harness.wait_for(lambda: len(run.started) == 2, 30, "both started")
        for _, process in run.started:
            process.stdout.readline()
        run.ask("SIGINT")
        assert run.status() == 0


def settings(**worker):
    return parse({"worker": worker, "tasks": {"ads": {"kind": "binary"}}}, Path("headrace.toml"), check_models=False)


def test_every_process_has_a_folder_a_port_and_an_address_of_its_own():
    own = [own_settings(settings(), Place(number, 3)) for number in (1, 2, 3)]
    for value in (lambda one: one.datadir, lambda one: one.web_port, lambda one: one.address):
        assert len({value(one) for one in own}) == 3


def test_a_process_may_ask_the_others_whatever_the_peers():
    own = own_settings(settings(peers=["10.0.0.0/8"], address="http://mill:6066"), Place(1, 2))
    assert own.worker.peers == ["10.0.0.0/8", "mill:6067", "mill:6068"]


def test_too_many_processes_for_the_ports_are_refused():
    with pytest.raises(SettingsError, match="ports"):
        own_settings(settings(web="127.0.0.1:65534"), Place(1, 2))
