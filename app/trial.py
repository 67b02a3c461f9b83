"""Tries every task's model when a worker starts: in this process, and a user's own model in a second process too."""

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import structlog

from headrace.app.other_process import Failed, Outcome, other_process
from headrace.app.settings import Settings
from headrace.learning.errors import ModelError, SettingsError
from headrace.learning.fold.checks import Verdict, try_model
from headrace.learning.task import Task

log = structlog.get_logger()

TRIAL_SECONDS = 60.0
"""How long the trial of one model may take in this process."""

INTERRUPT_AGAIN_SECONDS = 1.0
"""How long after the first interruption a model that has caught it is interrupted again."""

HASH_SEED = "0"
"""The PYTHONHASHSEED of every worker, and so of the second process. With a fixed seed, River's models that sum in the order of a set are exact."""

DIFFERENT_STATES = "comes to another state in another process, from the same rows"
"""The error for a model that reaches different states in two processes."""

SEED_REMEDY = (
    "Give every part that has a seed one (for KNN: engine=LazySearch), and let nothing depend on the "
    "process, the time or the order of a set."
)


def try_models(settings: Settings) -> dict[str, Verdict]:
    """Try the model of every task, and return the verdicts by task.

    Raises
    ------
    SettingsError
        A model cannot be used: it cannot be saved and loaded, it raises, its answers are not valid, or two processes that learn the same
        rows reach different states. The text names the task, the model, the reason and the remedy.
    """
    own = [task for task in settings.tasks.values() if ":" in task.model_name]
    with ExitStack() as stack:
        second = stack.enter_context(other_process(own, HASH_SEED)) if own else None
        stack.enter_context(_interruptible())
        verdicts = {}
        for task in settings.tasks.values():
            try:
                with limited():
                    verdicts[task.name] = try_model(task)
            except ModelError as error:
                raise _refusal(settings, task, error.what, error.remedy) from error
        try:
            outcomes: list[Outcome] = second.outcomes() if second else []
        except ModelError as error:
            raise SettingsError(f"{settings.path}: {error.what}", error.remedy) from error
        for task, outcome in zip(own, outcomes, strict=True):
            if isinstance(outcome, Failed):
                raise _refusal(settings, task, outcome.what, outcome.remedy)
            if outcome.verdict.digest != verdicts[task.name].digest:
                raise _refusal(settings, task, f"the model '{task.model_name}' {DIFFERENT_STATES}.", SEED_REMEDY)
    for task in own:
        verdict, where = verdicts[task.name], {"task": task.name, "model": task.model_name}
        if verdict.warning is not None:
            log.warning("a record can stop the shard", reason=verdict.warning, **where)
        if not verdict.pure:
            log.info("the model changes when it is asked: answers come from a copy", **where)
    return verdicts


@contextmanager
def limited() -> Iterator[None]:
    """Raise TimeoutError in a model that does not return in time. Without effect outside the main thread, which alone receives signals.

    Raises
    ------
    ModelError
        The time was up between two calls of the model.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise TimeoutError(f"the trial of a model must end within {TRIAL_SECONDS:g} s")

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, TRIAL_SECONDS, INTERRUPT_AGAIN_SECONDS)
    try:
        yield
    except TimeoutError as error:
        raise ModelError(f"{error}.", "Let it answer and learn faster.") from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C end the process at once: a KeyboardInterrupt would look like an error of the model."""
    previous = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _refusal(settings: Settings, task: Task, what: str, remedy: str) -> SettingsError:
    return SettingsError(f"{settings.path}: 'tasks.{task.name}.model' cannot be used: {what}", remedy)
