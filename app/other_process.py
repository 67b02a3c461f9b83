"""Tries models in a second process, which must reach the same states as this process."""

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
from headrace.learning.plain import plain_failure
from headrace.learning.task import Task

PATIENCE_SECONDS = 60.0
"""How much longer than this process the other process may take."""

PARENT_CHECK_SECONDS = 1.0
"""How often the other process checks whether this process still runs."""

TRY_COMMAND = "try-models"
"""The hidden `headrace` command that the other process runs."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The outcome for a model that must not be used, as the other process reports it."""

    what: str
    remedy: str


class Passed(msgspec.Struct, frozen=True, tag=True):
    """The outcome for a model that may be used."""

    verdict: Verdict


Outcome = Passed | Failed


class OtherProcess:
    """A process that tries the same models as this process, at the same time.

    Parameters
    ----------
    tasks
        The tasks whose models the process tries.
    process
        The process, which has the tasks in its stdin.
    """

    def __init__(self, tasks: Sequence[Task], process: subprocess.Popen[bytes]):
        self.tasks, self.process = tasks, process

    def outcomes(self) -> list[Outcome]:
        """Wait for the outcome of each task's model.

        Raises
        ------
        ModelError
            The process has failed, or does not end in time.
        """
        try:
            out, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
            if self.process.returncode == 0:
                return msgspec.json.decode(out, type=list[Outcome])
            what = f"ended with status {self.process.returncode}"
        except subprocess.TimeoutExpired:
            what = f"came to no end within {PATIENCE_SECONDS:g} s"
        except msgspec.MsgspecError as error:
            what = f"gave an answer that cannot be read: {plain_failure(error)}"
        names = ", ".join(task.model_name for task in self.tasks)
        remedy = "Look at what it has printed above; a model must neither end its process nor hang."
        raise ModelError(f"a second process that tried the models {names} {what}.", remedy)


@contextmanager
def other_process(tasks: Sequence[Task], hash_seed: str) -> Iterator[OtherProcess]:
    """Start a process that tries the models of tasks under this PYTHONHASHSEED. The process is killed when the block ends."""
    process = subprocess.Popen(  # noqa: S603 this interpreter, with constant arguments
        [*HEADRACE, TRY_COMMAND],
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
            pass  # the exit status says more
        process.stdin = None
        yield OtherProcess(tasks, process)
    finally:
        process.kill()
        process.wait()


def try_models_from_stdin() -> None:
    """Run as the other process: read tasks from stdin, try their models, and write the outcomes to stdout. All other output goes to stderr."""
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    out = os.dup(1)
    os.dup2(2, 1)  # the output of a model goes to stderr
    outcomes: list[Outcome] = []
    for task in msgspec.json.decode(sys.stdin.buffer.read(), type=list[Task]):
        try:
            outcomes.append(Passed(try_model(task)))
        except ModelError as error:
            outcomes.append(Failed(error.what, error.remedy))
    with os.fdopen(out, "wb") as stream:
        stream.write(msgspec.json.encode(outcomes))


def _end_with(parent: int) -> None:
    """End this process when its parent has ended, since a model that never returns would outlive the worker."""
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)
