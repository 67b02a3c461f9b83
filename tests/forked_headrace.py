"""`python -m headrace` as the process that stands for a command which `fork_server.py` forks: it starts in no time.

    python -IS tests/forked_headrace.py WORD...

The command has its standard streams, environment and folder. Signals to end are passed on; when this process or its parent is killed, the
command is too. Where there is no server, or the command is to have another hash seed than the server, it is started as a user does.
"""

import json
import os
import select
import signal
import socket
import sys

PARENT_CHECK_SECONDS = 1.0
"""How often this process checks whether its parent still runs."""


def main() -> None:
    """Stand for a command until it ends."""
    environment, words = dict(os.environ), sys.argv[1:]
    if "FORK_SERVER" not in environment or environment.get("PYTHONHASHSEED") != "0":
        os.execv(sys.executable, [sys.executable, "-P", "-m", "headrace", *words])
    parent, connection = os.getppid(), socket.socket(socket.AF_UNIX)
    connection.connect(environment["FORK_SERVER"])
    request = {"arguments": ["headrace", *words], "environment": environment, "folder": os.getcwd()}  # noqa: PTH109 pathlib takes longer to import than all the rest
    line = json.dumps(request).encode() + b"\n"
    connection.sendall(line[socket.send_fds(connection, [line], [0, 1, 2]) :])
    answers = connection.makefile("r")
    pid = int(answers.readline())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: os.kill(pid, number))
    while not select.select([connection], [], [], PARENT_CHECK_SECONDS)[0]:
        if os.getppid() != parent:
            sys.exit(1)
    status = int(answers.readline())
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
