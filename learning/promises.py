"""Promises: a control record says that a job makes a model, and a record further on in the log says how the job has ended."""

from collections.abc import Container, Iterator
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Meta

from headrace.learning.control_record import Arguments, Digest, Text
from headrace.learning.errors import RecordError
from headrace.learning.recipe import Recipe
from headrace.learning.records import Control, Id, Reader
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.records.reader import ROWS_MAX, count_rows
from headrace.learning.task import Task, Value

Kind = TypeVar("Kind", bound=Arguments)

Updates = Annotated[int, Meta(ge=0, le=2**53)]
"""Labels that a model has learned."""


class Install(Arguments, frozen=True, kw_only=True):
    """The control record `install`: at its position the champion becomes what a job makes, by a recipe or beforehand.

    One with a recipe stands alone in its message: the job folds up to that message, and no record of it must be learned by another model.

    Parameters
    ----------
    model
        What the model is made of; left out, what the champion is made of.
    recipe
        How the model follows from the log up to here, for a job of the record's id: the shard waits for its outcome.
    artefact
        The digest of a model that was made beforehand, in place of a recipe, and written to `<task>.versions` for the record's id.
    updates
        Labels that it has learned, with `artefact`.
    arm
        The arm that gets the model: the champion.
    pin
        Whether the installed version is kept for good, as one should be that cannot be made again.
    """

    model: str | dict[str, Value] | None = None
    recipe: Recipe | None = None
    artefact: Digest | None = None
    updates: Updates = 0
    pin: bool = False
    arm: Literal["champion"] = "champion"


class Outcome(Arguments, frozen=True, kw_only=True):
    """The control record `outcome`: how a job ended, and with it the promise of its `install`.

    Parameters
    ----------
    of
        The job's id.
    position
        The offset of the `install`; None ends the promise wherever it stands.
    artefact
        The digest of the model that the job made; None where it was given up.
    updates
        Labels that the model has learned.
    definition
        The fingerprint of the definition by which the job has folded. If another one is in force, the model is not installed.
    why
        Why it was given up.
    forget
        The ids of questions and labels that the recipe left out and that still wait for each other.
    """

    of: Id
    position: Annotated[int, Meta(ge=0)] | None = None
    artefact: Digest | None
    updates: Updates = 0
    definition: Digest | None = None
    why: Text = ""
    forget: tuple[Id, ...] = ()


class Cancel(Arguments, frozen=True, kw_only=True):
    """The control record `cancel`: a job is wanted no more, and a shard that waits for it goes on without.

    Parameters
    ----------
    job
        The id of the job.
    why
        Why it ends, for those who look later.
    """

    job: Id
    why: Text = ""


class Resume(Arguments, frozen=True, kw_only=True):
    """The control record `resume`: a shard that was paused goes on."""


class Place(NamedTuple):
    """Where a record stands: the offset of its message, and its row."""

    offset: int
    row: int


class Promises:
    """Knows how promises have ended and where pauses end, from the records that were noted. They may be noted before they are folded.

    The first outcome of a promise counts, of those that stand behind it: so every fold of the same log finds the same.

    Parameters
    ----------
    task
        Whose records are noted.

    Examples
    --------
    >>> from headrace.learning.records.message import Message
    >>> promises = Promises(Task(name="ads", kind="binary"))
    >>> promises.note(Message(7, b'{"control": "outcome", "of": "j1", "artefact": null, "why": "no memory"}'))
    >>> promises.outcome("j1", Place(5, 0)).why
    'no memory'
    >>> promises.outcome("j1", Place(8, 0)) is None
    True
    """

    def __init__(self, task: Task):
        self._reader = Reader(task)
        self._outcomes: dict[str, list[tuple[Place, Outcome]]] = {}
        self._resumed_to = -1

    def note(self, message: KafkaMessage) -> None:
        """Note what a message says of promises and pauses. Each message is noted once, in the order of the log."""
        for place, control in self.controls(message):
            if control.command == "resume" and _convert(control, Resume) is not None:
                self._resumed_to = max(self._resumed_to, place.offset)
            elif control.command == "outcome" and (outcome := _convert(control, Outcome)) is not None:
                self._outcomes.setdefault(outcome.of, []).append((place, outcome))
            elif control.command == "cancel" and (ended := _convert(control, Cancel)) is not None:
                self._outcomes.setdefault(ended.job, []).append(
                    (place, Outcome(of=ended.job, artefact=None, why=ended.why))
                )

    def forget(self) -> None:
        """Forget what was noted: the log is read again, from another place on."""
        self._outcomes.clear()
        self._resumed_to = -1

    def forget_before(self, offset: int) -> None:
        """Forget the outcomes in front of an offset: no promise from there on can have one of them."""
        for name, outcomes in list(self._outcomes.items()):
            kept = [(place, outcome) for place, outcome in outcomes if place.offset >= offset]
            if kept:
                self._outcomes[name] = kept
            else:
                del self._outcomes[name]

    def outcome(self, name: str, place: Place) -> Outcome | None:
        """Give the outcome of the promise that stands at a place; None if none was noted."""
        for found, outcome in self._outcomes.get(name, ()):
            if found > place and outcome.position in (None, place.offset):
                return outcome
        return None

    @property
    def noted(self) -> int:
        """How many outcomes are kept."""
        return sum(map(len, self._outcomes.values()))

    def is_resumed(self, offset: int) -> bool:
        """Tell whether a fold that was paused may go on with the message at an offset: a `resume` stands there or further on."""
        return self._resumed_to >= offset

    def made_in(self, message: KafkaMessage, jobs: Container[str]) -> tuple[Place, str] | None:
        """Give the place and the id of the promise that a message makes, if it makes one of a job that is under way."""
        if not stands_alone(message):
            return None
        for place, control in self.controls(message):
            install = _convert(control, Install) if control.command == "install" else None
            if install is not None and install.id is not None and install.recipe is not None and install.id in jobs:
                return place, install.id
        return None

    def artefacts(self, message: KafkaMessage) -> set[tuple[str, str]]:
        """List the models that a message may have installed: the id of its `install`, and the digest."""
        found = set()
        for place, control in self.controls(message):
            install = _convert(control, Install) if control.command == "install" else None
            if install is None or install.id is None:
                continue
            outcome = self.outcome(install.id, place) if install.recipe is not None else None
            digest = install.artefact if outcome is None else outcome.artefact
            if digest is not None:
                found.add((install.id, digest.removeprefix("sha256:")))
        return found

    def controls(self, message: KafkaMessage) -> Iterator[tuple[Place, Control]]:
        """Yield the control records in a message."""
        value = message.value or b""
        if b'"control"' not in value or count_rows(value) > ROWS_MAX:  # the fold refuses so many as a whole
            return
        for row, line in enumerate(value.split(b"\n")):
            if b'"control"' in line:
                try:
                    record = self._reader.read_record(line)
                except RecordError:
                    continue
                if isinstance(record, Control):
                    yield Place(message.offset, row), record


def stands_alone(message: KafkaMessage) -> bool:
    """Tell whether a message has one record alone."""
    return count_rows(message.value or b"") == 1


def _convert(control: Control, kind: type[Kind]) -> Kind | None:
    """Read the arguments of a control record; None where they are wrong: the fold refuses it when it comes to it."""
    try:
        return msgspec.convert(control.arguments, kind)
    except msgspec.ValidationError:
        return None
