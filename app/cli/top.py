"""`headrace top`: a live table of the shards of all tasks."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click
from rich.live import Live

from headrace.app.cli.board import TaskBoard, as_table
from headrace.app.cli.client import KEY_REMEDIES, AnswerError
from headrace.app.cli.options import asking, task_of
from headrace.app.cli.screen import Screen
from headrace.app.client import Client, ClientError, RateError, UnavailableError, UnreachableError
from headrace.app.settings import Settings

SECONDS = 1.0
"""How often the worker is asked."""

SIGNAL_LOOKS = 5
"""The signals are asked for at every fifth look: their answer is the longest."""

TIMEOUT = 3.0
"""How long the worker may take. An answer that comes later is as good as none on a live table."""


@click.command()
@asking
@click.argument("tasks", nargs=-1)
@click.option("--once", is_flag=True, help="Print one table and end, as where there is no terminal.")
def top(settings: Settings, tasks: tuple[str, ...], *, once: bool) -> None:
    """Watch the shards of TASKS, or of all: position, lag, updates and answers a second, recent and overall accuracy (or error), signals.

    The worker of the settings is asked once a second, also while it is away. Press q to quit. The answers a second are those of this worker.
    """
    names = [task_of(settings, name).name for name in tasks] or sorted(settings.tasks)
    boards = {name: TaskBoard() for name in names}
    console, access = Screen(), settings.access()
    with Client(settings.address, key=access.key, tls=access.tls, timeout=TIMEOUT) as client:
        if once or not console.is_terminal or not sys.stdin.isatty():
            look(client, boards, with_signals=True)
            failure = next((board.failure for board in boards.values() if board.failure), None)
            if failure is not None:
                raise AnswerError(failure)
            console.print(as_table(boards, settings.address, datetime.now(UTC), console.width))
            return
        with unbuffered_keys(), Live(console=console, screen=True, auto_refresh=False) as live:
            looks, is_quit = 0, False
            while not is_quit:
                begun = time.monotonic()
                look(client, boards, with_signals=looks % SIGNAL_LOOKS == 0)
                live.update(as_table(boards, settings.address, datetime.now(UTC), console.width), refresh=True)
                looks += 1
                is_quit = quits_within(begun + SECONDS - time.monotonic())


def look(client: Client, boards: dict[str, TaskBoard], *, with_signals: bool) -> None:
    """Ask the worker for the status of each task, and for its signals if they are wanted.

    Raises
    ------
    AnswerError
        The worker does not admit the caller, or does not know a task: asking again would not help.
    """
    for name, board in boards.items():
        try:
            board.see(client.status(name), time.monotonic())
            if with_signals or not board.signals:
                board.signals = client.signals(name)
        except (UnreachableError, UnavailableError, RateError) as error:
            board.miss(str(error))
        except ClientError as error:
            raise AnswerError(error.what, KEY_REMEDIES.get(error.code, error.remedy)) from None


@contextmanager
def unbuffered_keys() -> Iterator[None]:
    """Let the terminal give each key at once, without showing it; Ctrl-C ends the block quietly."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        yield
    except KeyboardInterrupt:
        pass
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def quits_within(seconds: float) -> bool:
    """Wait, and say whether `q` was pressed."""
    deadline = time.monotonic() + seconds
    while select.select([sys.stdin], [], [], max(0.0, deadline - time.monotonic()))[0]:
        if os.read(sys.stdin.fileno(), 1) in (b"q", b"Q", b""):  # no byte: the terminal is gone
            return True
    return False
