"""Starts commands by forking a process that has imported all that a worker imports, which is most of the time of a start.

    python tests/fork_server.py SOCKET

It listens on a Unix socket, one connection for each command: it reads a line of JSON (`arguments`, `environment`, `folder`, `out`, `err`),
answers the process id, and at its end the exit status, as `subprocess.Popen` has it. It ends when its standard input does. What a command does
is the same as that of `python -m headrace` or `faust`: nothing of the command line, its settings or its loop has run before the fork.
Commands that a command starts are forked too: `forked_headrace.py` asks for them, gives them its own standard streams, and ends with them.
"""

import atexit
import contextlib
import gc
import importlib
import inspect
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

IMPORTED = (
    "headrace.app.cli.worker",
    "headrace.app.client",
    "headrace.app.trial",
    "headrace.app.worker",
    "rich.table",
    "river.proba",
    "scipy.stats",
)
"""What is imported before the forks."""

PROGRAMS = {"headrace": "headrace.app.cli:main", "faust": "faust.cli.faust:cli"}
"""The function that each program calls."""

ADDRESS = "FORK_SERVER"
"""The environment variable of a forked command that says where the server listens."""

FORKED_HEADRACE = [sys.executable, "-IS", str(Path(__file__).with_name("forked_headrace.py"))]
"""The command of `headrace` within a forked command."""

APPENDING = os.O_WRONLY | os.O_APPEND | os.O_CREAT


class Forked:
    """A process that the server has started: what is used of `subprocess.Popen`."""

    def __init__(self, server: str, request: dict[str, Any]):
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(server)
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        self._answers = self._connection.makefile("r")
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        try:
            return self.wait(0.0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit status."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._connection, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired("a forked worker", timeout or 0.0)
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._connection.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)


class Server:
    """The server, started with the first worker of this process, and ended with it.

    Parameters
    ----------
    script
        What it runs; left out, this module.
    """

    def __init__(self, script: str = __file__) -> None:
        self.script = script
        self._folder: str | None = None

    def start(self, arguments: list[str], environment: dict[str, str], folder: Path, out: Path, err: Path) -> Forked:
        """Start a command: a program of `PROGRAMS` and its arguments. Its output is appended to two files, which may be one."""
        request = {"arguments": arguments, "environment": environment}
        request |= {"folder": str(folder), "out": str(out), "err": str(err)}
        return Forked(self.address, request)

    @property
    def address(self) -> str:
        """Where it listens. It is started unless it runs."""
        if self._folder is None:
            self._folder = self._begin()
        return f"{self._folder}/socket"

    def run(self, arguments: list[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, as `subprocess.run` does."""
        with tempfile.TemporaryDirectory() as kept:
            out, err = Path(kept) / "out", Path(kept) / "err"
            status = self.start(arguments, environment, folder, out, err).wait()
            return subprocess.CompletedProcess(arguments, status, out.read_text(), err.read_text())

    def _begin(self) -> str:
        folder = tempfile.mkdtemp(prefix="workers-")
        process = subprocess.Popen(
            [sys.executable, self.script, f"{folder}/socket"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        atexit.register(process.stdin.close)
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the server that starts workers has ended")
        return folder


SERVER = Server()


def serve(path: str) -> dict[str, Any]:
    """Fork until the standard input ends. Returns in a worker, with its request."""
    listening, selector = socket.socket(socket.AF_UNIX), selectors.DefaultSelector()
    listening.bind(path)
    listening.listen(16)
    ended, woken = socket.socketpair()
    ended.setblocking(False)
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for one in (sys.stdin, listening, ended):
        selector.register(one, selectors.EVENT_READ)
    running: dict[int, socket.socket] = {}
    watched: dict[socket.socket, int] = {}
    print("ready", flush=True)
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if sys.stdin in ready:
            os._exit(0)
        if ended in ready:
            with contextlib.suppress(BlockingIOError):
                ended.recv(4096)
            while running:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                with running.pop(pid) as connection, contextlib.suppress(OSError):
                    if watched.pop(connection, None):
                        selector.unregister(connection)
                    connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
        for connection in ready & watched.keys():  # the process that a command stands for was killed
            selector.unregister(connection)
            os.kill(watched.pop(connection), signal.SIGKILL)
        if listening in ready:
            connection, _ = listening.accept()
            line, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
            while not line.endswith(b"\n") and (more := connection.recv(1 << 16)):
                line += more
            if not line.endswith(b"\n"):  # whoever asked was ended meanwhile
                for one in streams:
                    os.close(one)
                connection.close()
                continue
            request = json.loads(line) | {"streams": streams}
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                selector.close()
                for one in (listening, ended, woken, connection, *running.values()):
                    one.close()
                request["environment"][ADDRESS] = path
                return request
            running[pid] = connection
            if streams:
                watched[connection] = pid
                selector.register(connection, selectors.EVENT_READ)
                for one in streams:
                    os.close(one)
            with contextlib.suppress(OSError):  # whoever asked was ended meanwhile; the process is killed next
                connection.sendall(b"%d\n" % pid)


def become(request: dict[str, Any]) -> None:
    """Take the place of a process that `subprocess` would have started."""
    os.setsid()
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    given = [entry for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry and entry != str(ROOT)]
    sys.path[1:1] = given
    streams = request["streams"] or [
        os.open(os.devnull, os.O_RDONLY),
        os.open(request["out"], APPENDING),
        os.open(request["err"], APPENDING),
    ]
    for number, opened in enumerate(streams):
        os.dup2(opened, number)
        os.close(opened)
    sys.argv = request["arguments"]
    importlib.import_module("headrace.app.command").HEADRACE[:] = FORKED_HEADRACE


if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    for module in IMPORTED:
        importlib.import_module(module)
    inspect.getmodule(sys._getframe())  # notes the file of each module: Faust looks it up for each agent
    gc.collect()
    gc.freeze()  # for good: a worker does so itself once it is wired, and the memory of its imports stays shared
    become(serve(sys.argv[1]))
    place, _, function = PROGRAMS[sys.argv[0]].partition(":")
    sys.exit(getattr(importlib.import_module(place), function)())
