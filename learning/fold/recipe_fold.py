"""Follows a recipe: folds the records of a log into a model of their own, beside the shard's."""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import UNSET

from headrace.learning.acts.champion import Spec, load
from headrace.learning.acts.job import Job
from headrace.learning.acts.refusal import Refusal
from headrace.learning.arms import Arm
from headrace.learning.commands import COMMANDS
from headrace.learning.commands.install import check
from headrace.learning.fold.control import hold_nothing_back
from headrace.learning.fold.learner import Learner
from headrace.learning.promises import Cancel, Install
from headrace.learning.recipe import Cover, Recipe
from headrace.learning.records import Control, Record, Refused
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.records.message import Message
from headrace.learning.state import State, remember
from headrace.learning.supplies import Supplies
from headrace.learning.task import BASELINES, Guard, Task, Versions, made_for
from headrace.learning.turn import Turn

NEVER = Versions(every=2**62)
"""A fold by recipe saves no versions."""


class RecipeFold(Learner):
    """Folds the records that a recipe does not leave out. Control records and reactions have no effect, but for a model that was installed from elsewhere.

    Parameters
    ----------
    task
        The task, by the definition in force.
    partition
        The shard.
    recipe
        What is folded.
    supplies
        Has the models that were installed from elsewhere, if there are any.
    model
        What the model is made of; left out, the task's.

    Attributes
    ----------
    unanswered
        The ids of questions and of labels that were left out while the other half had not come: what comes later must not be learned.

    Examples
    --------
    >>> from headrace.learning.records.message import Message
    >>> from headrace.learning.recipe import Range, Without
    >>> recipe = Recipe(why="unlearn", without=Without(positions=[Range(1, 2)]))
    >>> made = RecipeFold(Task(name="ads", kind="binary"), 0, recipe)
    >>> log = [Message(at, b'{"features": {"x": %d}, "label": true}' % at) for at in range(3)]
    >>> made.follow(lambda: log)
    >>> made.champion.updates
    2
    """

    measures = False

    def __init__(
        self, task: Task, partition: int, recipe: Recipe, supplies: Supplies | None = None, model: Spec | None = None
    ):
        outlier = Guard(against=[], label_rate=False, outlier=task.guard.outlier)
        task = msgspec.structs.replace(
            task, versions=NEVER, detectors=[], reactions=[], guard=outlier, experiments=[], segments=[]
        )
        task = msgspec.structs.replace(task, arms=dict.fromkeys(BASELINES[task.kind], False))
        super().__init__(task, partition, supplies=supplies)
        # How the task learns is not the model's affair, as for an arm of the shard.
        self._made_for = made_for(task, task.model if model is None else model)
        self.state.arms["champion"] = Arm(self._made_for, role="champion")
        self.recipe = recipe
        self._cover = None if recipe.without is None else Cover(recipe.without)
        self._questions: dict[str, int] = {}
        self._labels: dict[str, int] = {}
        self.state.position = recipe.start

    @property
    def unanswered(self) -> list[str]:
        """The ids of what was left out and still waits in the shard."""
        since = self.state.clock - self.task.wait_ms
        return [name for half in (self._questions, self._labels) for name, at in half.items() if at > since]

    def follow(self, read: Callable[[], Iterable[KafkaMessage]]) -> None:
        """Fold the log as often as the recipe says.

        Parameters
        ----------
        read
            Gives the messages of the log from `recipe.start` up to the position of the install, in order; called once for each pass.
        """
        to = self.recipe.repeat_to
        for _ in range(self.recipe.passes - 1):
            self.fold_all(message for message in read() if to is None or message.offset < to)
            self.begin_again()
        self.fold_all(read())

    def begin_again(self) -> None:
        """End a pass, and begin the next one with its model."""
        self.finish()
        arm = self.champion
        self.state = State(self.settings)
        self.state.arms["champion"].replace(self._made_for, arm.model, None, arm.updates, self.state.clock)
        self.state.position = self.recipe.start
        self._questions, self._labels = {}, {}
        self.follow_definition()

    def fold_all(self, messages: Iterable[KafkaMessage]) -> None:
        """Fold messages to their end, and learn the labels that were collected."""
        for message in messages:
            self.fold_one(message)
        self.finish()

    def fold_one(self, message: KafkaMessage) -> None:
        """Fold one message."""
        self.pass_over(message.offset)
        for _ in self.fold(message):
            pass

    def finish(self) -> None:
        """Learn what is held back or was collected, as the shard does before it installs a model."""
        turn = Turn("", Message(self.state.position, None), self.state.clock, self.state, self.supplies)
        for _ in hold_nothing_back(self, turn):
            pass

    def _begin_with(self, turn: Turn, install: Install) -> None:
        """Take the model of an `install` that is no job's, as the shard did: what it has learned before is in no record of the log."""
        try:
            check(install)
            if install.artefact is None or install.model not in (None, self._made_for.model):
                return
            loaded = load(
                self.state, turn, install.artefact.removeprefix("sha256:"), self._made_for.model, made_for=install.id
            )
        except Refusal:
            return  # the shard has refused it too
        self.champion.replace(loaded.task, loaded.model, None, install.updates, self.state.step)

    def _take(self, turn: Turn, record: Record | Control | Refused) -> None:
        if isinstance(record, Control):
            self._note(turn, record)
        elif self._cover is None or not isinstance(record, Record):
            super()._take(turn, record)
        elif not self._cover.has(record, turn.message.offset, turn.message.timestamp):
            if record.id is not UNSET and record.label is not UNSET:
                self._questions.pop(record.id, None)
            super()._take(turn, record)
        elif record.id is not UNSET:
            self._leave_out(record.id, record)

    def _note(self, turn: Turn, record: Control) -> None:
        """Carry out no control record, but know those that the shard has carried out once: it skips a second one of the same id."""
        command = COMMANDS.get(record.command)
        try:
            arguments = None if command is None else msgspec.convert(record.arguments, command.arguments)
        except msgspec.ValidationError:
            return
        jobs = self.state.jobs
        if arguments is None or arguments.id in self.state.controls:
            return
        is_promise = isinstance(arguments, Install) and arguments.recipe is not None
        if arguments.id in jobs and not is_promise:
            return
        if isinstance(arguments, Job):
            jobs[arguments.job] = b""
        elif isinstance(arguments, Cancel):
            jobs.pop(arguments.job, None)
        elif is_promise:
            jobs.pop(arguments.id, None)
        elif isinstance(arguments, Install) and not self.recipe.begins_empty:
            self._begin_with(turn, arguments)
        if arguments.id is not None:
            remember(self.state, arguments.id, "")

    def _leave_out(self, record_id: str, record: Record) -> None:
        """Note a question without its label, or a label without its question: the shard must not join the other half to it."""
        if record.label is UNSET:
            if self._labels.pop(record_id, None) is None:
                self._questions[record_id] = self.state.clock
        elif record.features is UNSET and self._questions.pop(record_id, None) is None:
            self._labels[record_id] = self.state.clock
