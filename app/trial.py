"""The trial of every task's model, at the worker's start: in this process, and where it is a user's own in a second one as well."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import structlog

from headrace.app.command import HEADRACE
from headrace.app.settings import Settings
from headrace.learning.errors import ModelError, SettingsError
from headrace.learning.fold.checks import Verdict, try_model
from headrace.learning.task import Task

log = structlog.get_logger()

TRIAL_SECONDS = 60.0
"""How long the trial of one model may take in this process."""

PATIENCE_SECONDS = 60.0
"""How much longer than this process the second one may take."""

AGAIN_SECONDS = 1.0
"""When a model is interrupted again that has caught the first interruption and goes on."""

ALONE_SECONDS = 1.0
"""How often the second process looks whether its worker still runs."""

SECOND = "try-models"
"""The hidden command that the second process runs."""


class Refused(msgspec.Struct, frozen=True, tag=True):
    """What the second process says of a model that must not be used."""

    what: str
    remedy: str


class Passed(msgspec.Struct, frozen=True, tag=True):
    """What it says of one that may."""

    verdict: Verdict


Outcome = Passed | Refused


def try_models(settings: Settings) -> dict[str, Verdict]:
    """Try the model of every task, by its name.

    Raises
    ------
    SettingsError
        A model cannot be used: it cannot be saved and loaded, it raises, its answers are none, or two processes that learn the same come
        to different states. The error names the task, the model, the reason and the remedy.
    """
    own = [task for task in settings.tasks.values() if ":" in task.model_name]
    with _second_process(own) as second, _interruptible():
        verdicts = {}
        for task in settings.tasks.values():
            try:
                with _limited():
                    verdicts[task.name] = try_model(task)
            except ModelError as error:
                raise _refusal(settings, task, error.what, error.remedy) from error
            except TimeoutError as error:  # between two calls of the model
                raise _refusal(settings, task, f"{error}.", "Let it answer and learn faster.") from error
        for task, outcome in zip(own, _outcomes(settings, own, second), strict=True):
            if isinstance(outcome, Refused):
                raise _refusal(settings, task, outcome.what, outcome.remedy)
            if outcome.verdict.digest != verdicts[task.name].digest:
                what = f"the model '{task.model_name}' comes to another state in another process, from the same rows."
                remedy = (
                    "Give every part that has a seed one (for KNN: engine=LazySearch), and let nothing depend on the "
                    "process, the time or the order of a set."
                )
                raise _refusal(settings, task, what, remedy)
    for task in own:
        verdict, where = verdicts[task.name], {"task": task.name, "model": task.model_name}
        if verdict.warning is not None:
            log.warning("a record can stop the shard", reason=verdict.warning, **where)
        if not verdict.pure:
            log.info("the model changes when it is asked: answers come from a copy", **where)
    return verdicts


def try_in_second_process() -> None:
    """Read tasks from stdin, try their models, and write the outcomes to stdout, with which nothing else may interfere."""
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


@contextmanager
def _second_process(tasks: list[Task]) -> Iterator[subprocess.Popen[bytes] | None]:
    """Another process that tries these tasks, if there are any; it is ended when it is no longer needed."""
    if not tasks:
        yield None
        return
    process = subprocess.Popen(  # noqa: S603 this interpreter, with our own words
        [*HEADRACE, SECOND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},  # noqa: PTH109
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
        yield process
    finally:
        process.kill()
        process.wait()


def _outcomes(settings: Settings, tasks: list[Task], process: subprocess.Popen[bytes] | None) -> list[Outcome]:
    if process is None:
        return []
    try:
        out, _ = process.communicate(timeout=PATIENCE_SECONDS)
        if process.returncode == 0:
            return msgspec.json.decode(out, type=list[Outcome])
        what = f"ended with status {process.returncode}"
    except (subprocess.TimeoutExpired, msgspec.MsgspecError) as error:
        what = f"came to no end: {type(error).__name__}"
    names = ", ".join(task.model_name for task in tasks)
    remedy = "Look at what it has printed above; a model must neither end its process nor hang."
    raise SettingsError(f"{settings.path}: a second process that tried the models {names} {what}.", remedy)


@contextmanager
def _limited() -> Iterator[None]:
    """Raise TimeoutError in a model that does not return: it is refused like one that raises by itself."""

    def interrupt(*_: object) -> None:
        raise TimeoutError(f"the trial of a model must end within {TRIAL_SECONDS:g} s")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, TRIAL_SECONDS, AGAIN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once: KeyboardInterrupt would look as if a model had raised it."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _refusal(settings: Settings, task: Task, what: str, remedy: str) -> SettingsError:
    return SettingsError(f"{settings.path}: 'tasks.{task.name}.model' cannot be used: {what}", remedy)
