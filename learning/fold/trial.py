"""The trial of a model: folds generated rows, and lets the model predict for features that no row had."""

from collections.abc import Sequence
from types import SimpleNamespace

import msgspec

from headrace.learning.encoding import digest, encode
from headrace.learning.errors import ModelError, SnapshotError
from headrace.learning.fold.generated import RowShape, questions, samples, shapes
from headrace.learning.fold.learner import Learner
from headrace.learning.task import Task, Value
from headrace.learning.waiting.batch import LabelledFeatures

ROWS = 200
"""The number of rows in the trial of a user's own model."""

CATALOGUE_ROWS = 20
"""The number of rows in the trial of a catalogue model. The tests have tried it, and a forest takes a millisecond for each row."""

REQUIRED_MAX = 16
"""The most features that the trial adds to all rows because the model raised a KeyError without them, if the task declares none."""

DECLARE = "Declare `features` in headrace.toml, so that no record without what the model needs, or with what it cannot take, is let through."


class Raised(ModelError):
    """The model has raised an exception on generated features.

    Parameters
    ----------
    task
        The task, which names the model and may declare features.
    error
        The exception.
    features
        The features on which the model raised it.
    """

    def __init__(self, task: Task, error: BaseException, features: dict[str, Value]):
        shown = msgspec.json.encode(features).decode()[:200]
        what = f"raised {type(error).__name__}: {str(error)[:200]} on the generated features {shown}"
        remedy = DECLARE if task.features is None else "Mend the model: the declared features let these through."
        super().__init__(f"the model '{task.model_name}' {what}.", remedy)
        self.error, self.features = error, features

    def needs(self) -> str | None:
        """Return the feature whose absence made the model raise a KeyError; None if it failed for another reason."""
        name = self.error.args[0] if isinstance(self.error, KeyError) and self.error.args else None
        return name if isinstance(name, str) and 0 < len(name) <= 256 and name not in self.features else None


class Trial:
    """The trial fold of generated rows of one shape, whose results the checks read.

    Parameters
    ----------
    task
        The task with the model.
    shape
        The shape of the rows, as far as the task leaves it open.

    Attributes
    ----------
    rows
        The rows; after `cut`, those that the model accepts.
    learner
        The learner that has folded the rows.
    half
        The encoding of the state half-way, or the error if the state cannot be encoded.
    digest
        The digest of the state after all rows; None if the state cannot be encoded.
    is_pure
        Whether predictions left the state unchanged, before the first row and after the last.
    failure
        The error that ended the fold, or that a question raised which the task accepts; None if there is none.
    warning
        The error that the model raised on rows or questions that it may refuse; None if there is none.
    """

    def __init__(self, task: Task, shape: RowShape):
        # The trial is about the model alone, so every row is learned at once.
        self.task = task = msgspec.structs.replace(
            task, order="arrival", update=None, unanswered="drop", sources=None, stored=None, predictions=False
        )
        self.shape = shape
        self.rows = list(samples(task, shape, ROWS if ":" in task.model_name else CATALOGUE_ROWS))
        self.questions = list(questions(task, shape))
        self.run()

    def run(self) -> None:
        """Fold the rows into a new learner, and let it predict for the questions before and after."""
        self.failure: ModelError | None = None
        self.warning: Raised | None = None
        self.digest: str | None = None
        self.half: bytes | SnapshotError = b""
        untaught, self.learner = Learner(self.task, 0), Learner(self.task, 0)
        fresh = digest_of(untaught)
        self._ask(untaught)
        self.is_pure = digest_of(untaught) == fresh
        half = len(self.rows) // 2
        try:
            self.fold(self.learner, self.rows[:half])
            try:
                self.half = encode(self.learner.state)
            except SnapshotError as error:
                self.half = error
            self.fold(self.learner, self.rows[half:])
        except ModelError as error:
            self.failure = self.failure or error
            return
        self.digest = digest_of(self.learner)
        self._ask(self.learner)
        self.is_pure &= digest_of(self.learner) == self.digest

    def cut(self) -> None:
        """Leave out the row at which the model failed and all later rows, so that other checks can still run."""
        failure = self.failure
        self.rows = self.rows[: self.learner.state.position]
        self.run()
        self.failure = failure

    def fold(self, learner: Learner, rows: Sequence[LabelledFeatures]) -> None:
        """Fold rows; raise ModelError for a row at which the model fails."""
        for x, y in rows:
            offset = learner.state.position
            value = msgspec.json.encode({"features": x, "label": y})
            try:
                for _ in learner.fold(SimpleNamespace(offset=offset, timestamp=offset, key=None, value=value)):
                    pass
            except ModelError:
                raise
            except BaseException as error:
                raise Raised(self.task, error, x) from error

    def _ask(self, learner: Learner) -> None:
        """Let the model predict for features that no row had. If the task declares no features, the model may refuse some."""
        for x in self.questions:
            try:
                learner.champion.predict(x)
            except ModelError as error:
                self.failure = self.failure or error
            except BaseException as error:  # noqa: BLE001 a model may raise anything
                raised = Raised(self.task, error, x)
                if self.task.features is None:
                    self.warning = self.warning or raised
                else:
                    self.failure = self.failure or raised


def digest_of(learner: Learner) -> str | None:
    """The digest of a learner's state; None if it has no encoding."""
    try:
        return digest(learner.state)
    except SnapshotError:
        return None


def run_trial(task: Task) -> Trial:
    """Run the trial of a task's model with the most demanding rows that it takes.

    Where the task declares no features, the model need not take all that come (strings, or rows without a feature that it needs) as long as
    there are rows that it takes; what it raised first is the warning then. If there are none, or if it answers with what is no answer, the
    trial is cut to the rows before.

    Raises
    ------
    ModelError
        The model cannot be built.
    """
    first: Raised | None = None
    furthest: Trial | None = None
    for shape in shapes(task):
        trial = _with_needed(task, shape)
        if not isinstance(trial.failure, Raised):
            if trial.failure is not None:
                trial.cut()
            trial.warning = first or trial.warning
            return trial
        first = first or trial.failure
        if furthest is None or trial.learner.state.position > furthest.learner.state.position:
            furthest = trial
    assert furthest is not None
    furthest.failure = first
    furthest.cut()
    return furthest


def _with_needed(task: Task, shape: RowShape) -> Trial:
    """Run a trial with rows of one shape, with the features that are found out to be needed."""
    while True:
        trial = Trial(task, shape)
        needed = trial.failure.needs() if isinstance(trial.failure, Raised) else None
        if task.features is not None or needed is None or len(shape.required) == REQUIRED_MAX:
            return trial
        shape = shape._replace(required=(*shape.required, needed))
