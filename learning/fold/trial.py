"""The trial of a model, before its worker starts: what cannot be right is refused then, not at the first restart."""

import sys
from collections.abc import Sequence
from types import FunctionType, SimpleNamespace

import msgspec

from headrace.learning.encoding import SAVABLE, decode, digest, encode, missing
from headrace.learning.encoding.table import DECLARED as DECLARED_IN
from headrace.learning.errors import ModelError, SnapshotError
from headrace.learning.fold.generated import Shape, questions, samples, shapes
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task, Value
from headrace.learning.waiting.batch import Row

ROWS = 200
"""Rows that a user's own model is tried with."""

CATALOGUE_ROWS = 20
"""And one of the catalogue, which the tests have tried: a forest takes a millisecond a row."""

REQUIRED_MAX = 16
"""Features that are found out to be needed, where a task declares none: those whose lack raises a KeyError."""

DECLARE = "Declare `features` in headrace.toml, so that no record without what the model needs, or with what it cannot take, is let through."


DECLARED = (
    "A state may hold the classes of the model's own module, and those of River that Headrace knows. Functions, and classes of other modules "
    "that are their attributes alone, are listed in your module: HEADRACE_STATE = [...]. List them if they do no harm, whatever they are "
    "called with. The first one is {}."
)

SEEDED = "Seed its randomness: the same rows must give the same model, in every process."


class Verdict(msgspec.Struct, frozen=True):
    """What a trial has shown of a model that may be used.

    Parameters
    ----------
    digest
        Of the state after all rows: another process must come to the same.
    pure
        Whether asking left the model as it was. One that it changes must be asked through a copy; see `ServedCopy`.
    warning
        What the model has raised on rows that the task lets through, and what to do; None if it took them all.
    """

    digest: str
    pure: bool
    warning: str | None = None


class _Failed(Exception):
    """The model has raised something on generated features."""

    def __init__(self, error: BaseException, features: dict[str, Value]):
        shown = msgspec.json.encode(features).decode()[:200]
        super().__init__(f"raised {type(error).__name__}: {str(error)[:200]} on the generated features {shown}")
        self.error, self.features = error, features

    def needs(self) -> str | None:
        """The feature without which the model raised a KeyError, if that is why it has failed."""
        name = self.error.args[0] if isinstance(self.error, KeyError) and self.error.args else None
        return name if isinstance(name, str) and 0 < len(name) <= 256 and name not in self.features else None


def try_model(task: Task) -> Verdict:
    """Fold generated rows with the task's model; save and load it half-way; ask it what no row had.

    Where the task declares no features, rows that a model cannot take (strings, or rows without a feature that it needs) give a warning
    as long as there are others that it can.

    Parameters
    ----------
    task
        What is learned, and with which model.

    Raises
    ------
    ModelError
        The model cannot be saved, or not be loaded; it is another one once it was; it raises on rows that the task lets through; it
        answers with what is no answer of the task.
    """
    # Only what the model does is of interest: every row is learned at once.
    task = msgspec.structs.replace(
        task, order="arrival", update=None, unanswered="drop", sources=None, stored=None, predictions=False
    )
    first: _Failed | None = None
    for shape in shapes(task):
        try:
            verdict = _try_shape(task, shape)
        except _Failed as failed:
            first = first or failed
        else:
            warning = verdict.warning if first is None else f"the model '{task.model_name}' {first}. {DECLARE}"
            return msgspec.structs.replace(verdict, warning=warning)
    assert first is not None
    remedy = DECLARE if task.features is None else "Mend the model: the declared features let these through."
    raise ModelError(f"the model '{task.model_name}' {first}.", remedy) from first.error


def _try_shape(task: Task, shape: Shape) -> Verdict:
    """Try rows of one shape, with the features that are found out to be needed."""
    while True:
        try:
            return _Trial(task, shape).run()
        except _Failed as failed:
            needed = failed.needs()
            if task.features is not None or needed is None or len(shape.required) == REQUIRED_MAX:
                raise
            shape = shape._replace(required=(*shape.required, needed))


class _Trial:
    """One task, rows of one shape."""

    def __init__(self, task: Task, shape: Shape):
        self.task = task
        self.rows = list(samples(task, shape, ROWS if ":" in task.model_name else CATALOGUE_ROWS))
        self.questions = list(questions(task, shape))
        self.refused: _Failed | None = None
        self.own_modules = task.modules  # as for a snapshot

    def _check_declared(self) -> None:
        """Raise ModelError unless what the model's module lists for its state is a list of classes and functions."""
        for name in self.own_modules:
            declared = getattr(sys.modules.get(name), DECLARED_IN, ())
            if not isinstance(declared, list | tuple):
                raise self._error(f"cannot be used: {name}.{DECLARED_IN} is no list", f"Write {DECLARED_IN} = [...].")
            for one in declared:
                if not isinstance(one, type | FunctionType):
                    what = f"cannot be used: {name}.{DECLARED_IN} holds {one!r:.80}, which is no class and no function"
                    raise self._error(what, "List the classes and functions themselves, not their names.")

    def run(self) -> Verdict:
        self._check_declared()
        whole, half = Learner(self.task, 0), len(self.rows) // 2
        untaught = self._is_pure(Learner(self.task, 0))
        self._fold(whole, self.rows[:half])
        copy = self._reload(whole)
        self._fold(whole, self.rows[half:])
        self._fold(copy, self.rows[half:])
        found = self._digest(whole)
        if self._digest(copy) != found:
            again = Learner(self.task, 0)
            self._fold(again, self.rows)
            if self._digest(again) != found:
                raise self._error("is another one each time that it learns the same rows", SEEDED)
            raise self._error("goes on otherwise once it has been saved and loaded", SAVABLE)
        taught = self._is_pure(copy)
        warning = f"the model '{self.task.model_name}' {self.refused}. {DECLARE}" if self.refused else None
        return Verdict(found, pure=untaught and taught, warning=warning)

    def _fold(self, learner: Learner, rows: Sequence[Row]) -> None:
        for x, y in rows:
            offset = learner.state.position
            value = msgspec.json.encode({"features": x, "label": y})
            try:
                for _ in learner.fold(SimpleNamespace(offset=offset, timestamp=offset, key=None, value=value)):
                    pass
            except ModelError:
                raise
            except BaseException as error:
                raise _Failed(error, x) from error

    def _reload(self, learner: Learner) -> Learner:
        """The learner, as it is after a restart."""
        try:
            encoding = encode(learner.state)
            if lacking := missing(learner.state, self.own_modules):
                raise self._error(
                    f"cannot be saved and loaded: its state holds {', '.join(lacking)}", DECLARED.format(lacking[0])
                )
            state = decode(encoding, self.own_modules)
        except SnapshotError as error:
            raise self._error(f"cannot be saved and loaded: {error.what.rstrip('.')}", SAVABLE) from error
        if self._digest(learner) != digest(state):
            raise self._error("is another one once it has been saved and loaded", SAVABLE)
        return Learner(self.task, 0, state)

    def _digest(self, learner: Learner) -> str:
        try:
            return digest(learner.state)
        except SnapshotError as error:
            raise self._error(f"cannot be saved and loaded: {error.what.rstrip('.')}", SAVABLE) from error

    def _is_pure(self, learner: Learner) -> bool:
        """Whether asking leaves the state as it was. Where no features are declared, the model may refuse some."""
        before = self._digest(learner)
        for x in self.questions:
            try:
                learner.champion.predict(x)
            except ModelError:
                raise
            except BaseException as error:
                failed = _Failed(error, x)
                if self.task.features is not None:
                    raise failed from error
                self.refused = self.refused or failed
        return self._digest(learner) == before

    def _error(self, what: str, remedy: str) -> ModelError:
        return ModelError(f"the model '{self.task.model_name}' {what}.", remedy)
