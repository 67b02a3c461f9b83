"""`headrace worker --processes`: the parent of several worker processes, which starts them, starts them again when they die, and ends them.

The parent folds nothing and answers nothing. It holds the shared port, so that no other program gets it while the processes are restarted.
"""

import os
import queue
import signal
import socket
import subprocess
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, Protocol

import structlog

from headrace.app.command import HEADRACE
from headrace.app.ending import BACKSTOP_SECONDS, END_SECONDS, FAILED
from headrace.app.limits import open_standard_streams
from headrace.app.locks import check_port, lock_folder
from headrace.app.logs import set_up_logging
from headrace.app.place import Place, own_settings
from headrace.app.settings import Settings

log = structlog.get_logger()

PAUSE_SECONDS = 0.5
"""The pause before a process that has died is started again. It doubles with each death in a row."""

PAUSE_MAX = 10.0
"""The longest pause before a process is started again, in seconds."""

DEATHS_MAX = 5
"""How often in a row a process may die. Then all processes are ended."""

STEADY_SECONDS = 60.0
"""How long a process must run to be steady: its death is the first one in a row then."""

ALL_ENDED_SECONDS = END_SECONDS + BACKSTOP_SECONDS + 1.0
"""How long after the first signal processes that still run are killed. A process needs no longer than the time without the last second."""

CHECK_SECONDS = 1.0
"""How often the processes are checked if no signal tells of the death of one."""

WRONG_SETTINGS = 2
"""The exit status of a process whose settings are wrong."""

ENDS = (signal.SIGTERM, signal.SIGINT)


class Started(Protocol):
    """A started process, with the members of `subprocess.Popen` that are used here."""

    pid: int

    def poll(self) -> int | None:
        """Return the exit status; None while the process runs."""
        ...

    def terminate(self) -> None:
        """Send SIGTERM."""
        ...

    def kill(self) -> None:
        """Send SIGKILL."""
        ...


class Processes:
    """Starts processes, starts those again that die, and ends all of them together.

    A process that dies is started again after a pause. A process that has died `DEATHS_MAX` times in a row ends all, since a machine that
    is half alive for ever would hide the fault; so does a process whose settings are wrong when it is first started.

    Parameters
    ----------
    count
        The number of processes.
    start
        Starts the process of a place.
    pause
        The first pause before a process is started again, in seconds.
    steady
        How many seconds a process must run for its deaths to be counted anew.
    patience
        How many seconds the processes may take to end.
    check
        How often the processes are checked, in seconds.
    """

    def __init__(
        self,
        count: int,
        start: Callable[[Place], Started],
        *,
        pause: float = PAUSE_SECONDS,
        steady: float = STEADY_SECONDS,
        patience: float = ALL_ENDED_SECONDS,
        check: float = CHECK_SECONDS,
    ):
        self.count, self.pause, self.steady, self.patience, self.check = count, pause, steady, patience, check
        self._start = start
        self._signals: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._running: dict[int, tuple[Started, float]] = {}
        self._due: dict[int, float] = {}
        self._deaths = dict.fromkeys(range(1, count + 1), 0)
        self._was_steady: set[int] = set()

    def watch(self) -> None:
        """Install the signal handlers. Call it from the main thread."""
        for number in (*ENDS, signal.SIGCHLD):
            signal.signal(number, lambda number, _: self._signals.put(signal.Signals(number).name))

    def run(self) -> int:
        """Run the processes until SIGTERM or SIGINT, or until one dies too often; return the exit status of the whole."""
        self._due = dict.fromkeys(self._deaths, monotonic())
        while True:
            for number in [number for number, at in self._due.items() if at <= monotonic()]:
                del self._due[number]
                process = self._start(Place(number, self.count, is_again=self._deaths[number] > 0))
                self._running[number] = process, monotonic()
            wait = min([self.check, *(at - monotonic() for at in self._due.values())])
            if (why := self._next_signal(wait)) is not None and why != "SIGCHLD":
                log.info("stopping", why=why, processes=self.count)
                return self._end()
            for number, status, seconds in self._take_dead():
                if self._is_last(number, status, seconds):
                    self._end()
                    return FAILED

    def _next_signal(self, seconds: float) -> str | None:
        try:
            return self._signals.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None

    def _take_dead(self) -> list["Death"]:
        """Return the processes that have died since the last call."""
        now, dead = monotonic(), []
        for number, (process, started) in list(self._running.items()):
            if (status := process.poll()) is not None:
                del self._running[number]
                dead.append(Death(number, status, now - started))
        return dead

    def _is_last(self, number: int, status: int, seconds: float) -> bool:
        """Count a death, and plan the next start; say whether the process must not be started again."""
        if seconds >= self.steady:
            self._deaths[number] = 0
            self._was_steady.add(number)
        self._deaths[number] += 1
        deaths, how = self._deaths[number], say_status(status)
        if status == WRONG_SETTINGS and number not in self._was_steady:
            log.error("a process cannot start, and all are ended: its settings are wrong, see above", process=number)
            return True
        if deaths >= DEATHS_MAX:
            what = "a process has died too often, and all are ended: see its lines above"
            log.error(what, process=number, how=how, deaths=deaths)
            return True
        pause = min(PAUSE_MAX, self.pause * 2 ** (deaths - 1))
        log.error("a process has died and is started again", process=number, how=how, deaths=deaths, pause_s=pause)
        self._due[number] = monotonic() + pause
        return False

    def _end(self) -> int:
        """End all processes in limited time; return 0 if each ended in order."""
        for process, _ in self._running.values():
            process.terminate()
        until, worst = monotonic() + self.patience, 0
        while self._running and (left := until - monotonic()) > 0:
            if self._next_signal(min(left, self.check)) == "SIGINT":  # a second Ctrl-C
                break
            worst = max([worst, *(abs(death.status) for death in self._take_dead())])
        for number, (process, _) in self._running.items():
            log.error("a process did not stop in time and is killed", process=number)
            process.kill()
            worst = FAILED
        return FAILED if worst else 0


class Death(NamedTuple):
    """The death of a process: its number, its exit status, and how long it ran."""

    number: int
    status: int
    seconds: float


def say_status(status: int) -> str:
    """Say how a process ended.

    Examples
    --------
    >>> say_status(1), say_status(-9)
    ('status 1', 'SIGKILL')
    """
    try:
        return f"status {status}" if status >= 0 else signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def available_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_processes(settings: Settings, count: int, instance: str | None, level: str) -> int:
    """Run so many worker processes until SIGTERM or SIGINT, and return the exit status.

    Raises
    ------
    SettingsError
        The folder or one of the ports is in use, or there are not enough ports after the shared one.
    """
    open_standard_streams()
    writer = set_up_logging(level)
    for number in range(1, count + 1):
        own = own_settings(settings, Place(number, count))
        check_port(own.web_host, own.web_port)
    check_port(settings.web_host, settings.web_port)
    alive, held = os.pipe()

    def start(place: Place) -> subprocess.Popen[bytes]:
        words = ["worker", "--config", str(settings.path), "--log-level", level, "--place", str(place)]
        if instance is not None:
            words += ["--instance", f"{instance}.{place.number}"]
        process = subprocess.Popen([*HEADRACE, *words], stdin=alive)  # noqa: S603 this program, with arguments of its own
        log.info("a process is started", process=place.number, pid=process.pid)
        return process

    processes = Processes(count, start)
    with lock_folder(settings.datadir), hold_port(settings.web_host, settings.web_port):
        processes.watch()
        status = processes.run()
    os.close(held)
    log.info("stopped", status=status)
    writer.drain()
    return status


def hold_port(host: str, port: int) -> socket.socket:
    """Bind a port that other processes of this user may listen on. No connection comes here, since this socket does not listen."""
    family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    held = socket.socket(family, kind)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind(address)
    return held
