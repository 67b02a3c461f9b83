"""Another process that tries models: what it comes to must be what this one comes to."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from headrace.app.command import HEADRACE
from headrace.learning.errors import ModelError
from headrace.learning.fold.checks import Verdict, try_model
from headrace.learning.task import Task

PATIENCE_SECONDS = 60.0
"""How much longer than this process the other one may take."""

ALONE_SECONDS = 1.0
"""How often the other process looks whether this one still runs."""

SECOND = "try-models"
"""The hidden command that the other process runs."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """What the other process says of a model that must not be used."""

    what: str
    remedy: str


class Passed(msgspec.Struct, frozen=True, tag=True):
    """What it says of one that may."""

    verdict: Verdict


Outcome = Passed | Refused


class OtherProcess:
    """A process that tries models while this one does.

    Parameters
    ----------
    tasks
        The tasks whose models it tries.
    process
        It, with the tasks in its stdin.
    """

    def __init__(self, tasks: Sequence[Task], process: subprocess.Popen[bytes]):
        self.tasks, self.process = tasks, process

    def outcomes(self) -> list[Outcome]:
        """Wait for what it says of each task's model.

        Raises
        ------
        ModelError
            It has ended otherwise, or comes to no end.
        """
        try:
            out, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
            if self.process.returncode == 0:
                return msgspec.json.decode(out, type=list[Outcome])
            what = f"ended with status {self.process.returncode}"
        except (subprocess.TimeoutExpired, msgspec.MsgspecError) as error:
            what = f"came to no end: {type(error).__name__}"
        names = ", ".join(task.model_name for task in self.tasks)
        remedy = "Look at what it has printed above; a model must neither end its process nor hang."
        raise ModelError(f"a second process that tried the models {names} {what}.", remedy)


@contextmanager
def other_process(tasks: Sequence[Task], hash_seed: str) -> Iterator[OtherProcess]:
    """Start a process that tries the models of tasks, with a PYTHONHASHSEED of its own; it is ended when it is no longer needed."""
    process = subprocess.Popen(  # noqa: S603 this interpreter, with our own words
        [*HEADRACE, SECOND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ
        | {
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),  # noqa: PTH109
        },
    )
    try:
        assert process.stdin is not None
        plain = [msgspec.structs.replace(task, sources=None, stored=None) for task in tasks]
        try:
            process.stdin.write(msgspec.json.encode(plain))
            process.stdin.close()
        except BrokenPipeError:
            pass  # its exit status says more
        process.stdin = None
        yield OtherProcess(tasks, process)
    finally:
        process.kill()
        process.wait()


def try_here() -> None:
    """Be the other process: read tasks from stdin, try their models, and write the outcomes to stdout, with which nothing else may interfere."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    out = os.dup(1)
    os.dup2(2, 1)  # what a model prints
    outcomes: list[Outcome] = []
    for task in msgspec.json.decode(sys.stdin.buffer.read(), type=list[Task]):
        try:
            outcomes.append(Passed(try_model(task)))
        except ModelError as error:
            outcomes.append(Refused(error.what, error.remedy))
    with os.fdopen(out, "wb") as stream:
        stream.write(msgspec.json.encode(outcomes))


def _end_with(parent: int) -> None:
    """End this process when its parent is gone: a model that never returns would outlive the worker."""
    while os.getppid() == parent:
        time.sleep(ALONE_SECONDS)
    os._exit(1)
