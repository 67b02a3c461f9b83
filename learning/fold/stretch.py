"""A stretch: rows that follow each other, of one message or of many, which the kernel folds at once.

What becomes of the state, to the last bit, is what `learning/fold/learn.py` makes of the same rows one after the other. So a stretch has only rows at
which nothing else can happen: samples whose names and strings are known. It ends at the row at which a detector or a guard notices something, a
version is to be saved, or a point of the history is due: the learner goes on from there.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import takewhile
from typing import Any, NamedTuple

from msgspec import UNSET

from headrace.learning import kernel
from headrace.learning.arms import Arm
from headrace.learning.effects import Predicted
from headrace.learning.fold.parts import LearnerParts
from headrace.learning.fold.sources import Position, find_new
from headrace.learning.guards import Compared
from headrace.learning.kernel.baselines import ANSWERS, Answers, learn_labels
from headrace.learning.kernel.detectors import show_errors
from headrace.learning.kernel.scores import score_many
from headrace.learning.prediction import Prediction, is_finite
from headrace.learning.records import Control, Record, Refused
from headrace.learning.records.labels import type_of
from headrace.learning.records.mark import KafkaMessage
from headrace.learning.signals import Notice
from headrace.learning.task import CHAMPION, LAST_GOOD, Label, Value
from headrace.learning.turn import Noticed, Turn

LEAST, MOST = 4, 512
"""Fewer rows are not worth it, and more would hold up other tasks of the worker."""

Read = Callable[[KafkaMessage], tuple[Sequence[Record | Control | Refused], bool]]
"""Gives the records of a message, and whether all of them are samples and nothing more."""


class Place(NamedTuple):
    """Where a row stands: the number of its message among those that are folded, its number in the message, and log time there."""

    message: int
    row: int
    clock: int


class Arms(NamedTuple):
    """The arms of a shard that can fold rows at once: the champion, its model as the kernel knows it, the baselines, and the last good version."""

    champion: Arm
    linear: kernel.Linear
    baselines: dict[str, Arm]
    last_good: Arm | None


def fold_stretch(
    parts: LearnerParts, turn: Turn, messages: Sequence[KafkaMessage], start: Place, read: Read
) -> Place | None:
    """Fold as many rows as possible from a row on, and move the turn to the last of them; return where that stands.

    None, and nothing was done, if they are too few.

    Parameters
    ----------
    parts, turn
        The parts of the learner, and the turn at the first row.
    messages
        The messages that are folded.
    start
        The first row.
    read
        Gives the records of a message, and whether all are plain.
    """
    loops = kernel.compiled()
    arms = None if loops is None else find_arms(parts)
    if arms is None:
        return None
    stretch = Stretch(parts, arms)
    stretch.collect(messages, start, read)
    if len(stretch.labels) < LEAST or stretch.predict(loops) < LEAST:
        return None
    noticed = stretch.judge(loops)
    stretch.learn(loops)
    last = stretch.place(stretch.count - 1)
    if parts.task.predictions:
        stretch.publish(turn, messages)
    else:
        turn.move_on(messages[last.message], last.row, last.clock)
    turn.noticed += noticed
    return last


def find_arms(parts: LearnerParts) -> Arms | None:
    """Find the arms of a shard; None if something is to be done with its rows that only one after the other can be done."""
    state, task = parts.state, parts.task
    if (
        parts.order is not None
        or parts.batch is not None
        or parts.watcher is not None
        or parts.admitting
        or (parts.is_multiclass and state.label_type is None)
        or parts.is_unlabelled
        or task.rehearsal is not None
    ):
        return None
    arms = state.arms
    for experiment in state.experiments.values():
        if experiment.a in arms and experiment.b in arms and experiment.difference.count < experiment.budget:
            return None
    champion = arms[CHAMPION]
    linear = kernel.linear_of(champion.model)
    if (
        linear is None
        or linear.kind != task.kind
        or champion.rate.left
        or champion.sampling is not None
        or not champion.has_fixed_cutoff
    ):
        return None
    baselines: dict[str, Arm] = {}
    for name, arm in arms.items():
        if arm.role == "baseline" and arm.is_brief and type(arm.model) in ANSWERS and not arm.errors and not arm.scores:
            baselines[name] = arm
        elif name != CHAMPION and (name != LAST_GOOD or arm.errors or arm.scores or not arm.has_fixed_cutoff):
            return None
    return Arms(champion, linear, baselines, arms.get(LAST_GOOD))


class Stretch:
    """The rows of a stretch, and what the arms predict for them.

    Parameters
    ----------
    parts, arms
        The parts of the learner, and the arms.

    Attributes
    ----------
    begins
        The first row of each message, by its number, and where it stands.
    records, features, labels
        The rows, and what each has.
    sources
        The source position of each row; none if no row has one.
    rows
        The features as the kernel takes them.
    count
        The number of rows that are folded.
    champion
        What the champion predicts for each row.
    baselines
        What each baseline answers to each row.
    last_good
        What the last good version predicts for the rows at which it is asked, by their numbers.
    """

    def __init__(self, parts: LearnerParts, arms: Arms):
        self.parts, self.arms = parts, arms
        self.begins: list[tuple[int, Place]] = []
        self.records: list[Record] = []
        self.features: list[dict[str, Value]] = []
        self.labels: list[Label] = []
        self.sources: list[Position | None] = []
        self.rows = arms.linear.rows(None if parts.names is None else parts.names.known)
        self.count = 0
        self.baselines: dict[str, Answers] = {}
        self.last_good: dict[int, Prediction | None] = {}

    def collect(self, messages: Sequence[KafkaMessage], start: Place, read: Read) -> None:
        """Collect the rows, up to the first at which something else may happen."""
        parts, state = self.parts, self.parts.state
        due_at, due_clock = parts.due_at, state.rings.due_clock
        room = min(
            MOST,
            parts.task.versions.every - (self.arms.champion.updates - state.versions.since),
            state.rings.due_updates - state.updates,
        )
        at, row, clock = start
        while True:
            if clock >= due_clock:
                room = min(room, len(self.labels) + 1)
            records, are_plain = read(messages[at])
            some = records[row : row + room - len(self.labels)]
            plain: Any = some if are_plain else [*takewhile(_is_plain, some)]
            self.begins.append((len(self.labels), Place(at, row, clock)))
            self.records += plain
            self.features += [record.features for record in plain]
            self.labels += [record.label for record in plain]
            at, row = at + 1, row + len(plain)
            if len(self.labels) >= room or row < len(records) or at == len(messages):
                break
            row, clock = 0, max(clock, messages[at].timestamp)
            if due_at <= clock or messages[at].offset <= messages[at - 1].offset:
                break
        sources = [record.source for record in self.records]
        if any(source is not UNSET for source in sources):
            self.sources = find_new(state.sources, sources)
            del self.features[len(self.sources) :]
        if parts.is_multiclass:
            del self.features[sum(1 for _ in takewhile(self._is_known, self.records)) :]
        self.rows.add_many(self.features)
        del self.features[len(self.rows) :], self.labels[len(self.rows) :]

    def _is_known(self, record: Record) -> bool:
        """Tell whether a record has a label that the shard knows, and no other one."""
        state, label = self.parts.state, record.label
        return (
            label is not UNSET
            and record.served is UNSET
            and self.arms.linear.knows(label)
            and type_of(label) == state.label_type
            and (self.parts.task.labels is not None or label in state.labels)
        )

    def place(self, number: int) -> Place:
        """Tell where a row stands."""
        first, (message, row, clock) = next(part for part in reversed(self.begins) if part[0] <= number)
        return Place(message, row + number - first, clock)

    def predict(self, loops: Any) -> int:
        """Compute what the arms predict for each row, as if all were folded; return how many can be."""
        arms = self.arms
        self.folded = arms.linear.fold(loops, self.rows, self.labels, len(self.labels))
        self.count = self.folded.done
        if arms.last_good is not None:
            self._ask_last_good(loops, arms.last_good)
        self.champion = arms.linear.answer(loops, self.folded.raws[: self.count], arms.champion.threshold)
        labels = self.labels[: self.count]
        for name, arm in arms.baselines.items():
            self.baselines[name] = ANSWERS[type(arm.model)](arm.model, labels)
        return self.count

    def _ask_last_good(self, loops: Any, arm: Arm) -> None:
        """Let the last good version predict the rows at which it is asked; the stretch ends before one for which it has no finite answer."""
        every = self.parts.task.guard.every
        asked = range(-(self.parts.state.asked + 1) % every, self.count, every)
        linear = None if self.rows.has_strings or arm.sampling is not None else kernel.linear_of(arm.model)
        raws = None if linear is None else linear.predict(loops, self.rows, asked)
        if linear is None or raws is None:
            answers = [arm.predict(self.features[number]) for number in asked]
        else:
            given = linear.answer(loops, raws, arm.threshold)
            answers = [given.prediction(number) for number in range(len(asked))]
        for number, answer in zip(asked, answers, strict=True):
            if answer is not None and not is_finite(answer):
                self.count = number  # the general way tells of it
                return
            self.last_good[number] = answer

    def judge(self, loops: Any) -> list[Noticed]:
        """Show the rows to detectors and guards until something is noticed; return what."""
        champion, watched = self.arms.champion, self.parts.state.watches
        errors = self.champion.errors(self.labels[: self.count])
        if watched.features or watched.labels or champion.scores:
            return self._judge_each(errors)
        watches = deepcopy(champion.errors)  # a guard may end the stretch before the row that they see last
        self.count, notices = show_errors(loops, [*watches.values()], CHAMPION, errors)
        after, found = self._guard()
        if after == self.count:
            champion.errors = watches
            found = notices + found
        else:
            self.count = after
            show_errors(loops, [*champion.errors.values()], CHAMPION, errors[:after])
        return [Noticed(notice, champion.since) for notice in found]

    def _judge_each(self, errors: Sequence[float]) -> list[Noticed]:
        """Show each row to all detectors and guards, as `see_features` and `judge` do, until something is noticed; return what."""
        parts, champion, watches = self.parts, self.arms.champion, self.parts.state.watches
        for number, (features, label, error) in enumerate(zip(self.features, self.labels, errors, strict=False)):
            found = [Noticed(notice, 0) for notice in watches.see_features(features)]
            notices = champion.watch_score(self.champion.prediction(number), CHAMPION) if champion.scores else []
            for watch in champion.errors.values():
                if (notice := watch.update(error, CHAMPION)) is not None:
                    notices.append(notice)
            found += [Noticed(notice, champion.since) for notice in notices]
            if watches.labels:
                found += [Noticed(notice, 0) for notice in watches.see_label(label)]
            if parts.guards:
                if parts.is_compared((LAST_GOOD,) if number in self.last_good else ()):
                    found += [Noticed(notice, champion.since) for notice in self._compare(number)]
                else:
                    parts.state.unseen.append(label)
            if found:
                self.count = number + 1
                return found
        return []

    def _compare(self, number: int) -> list[Notice]:
        """Let the guards compare the champion at a row; return what they notice."""
        unseen = self.parts.state.unseen
        answers: dict[str, Prediction | None] = {CHAMPION: self.champion.prediction(number)}
        for name, given in self.baselines.items():
            answers[name] = None if given[number] is None else Prediction(given[number])
        if number in self.last_good:
            answers[LAST_GOOD] = self.last_good[number]
        case = Compared(answers, self.labels[number], unseen)
        found = [notice for guard in self.parts.guards if (notice := guard.compare(case)) is not None]
        unseen.clear()
        return found

    def _guard(self) -> tuple[int, list[Notice]]:
        """Let the guards compare the champion at every so many rows, until one notices something; return up to which row, and what."""
        parts, unseen, at = self.parts, self.parts.state.unseen, 0
        if not parts.guards:
            return self.count, []
        asked = iter((*self.last_good, self.count))
        next_asked = next(asked)
        while True:
            compared = min(at + max(parts.patience - 1 - len(unseen), 0), next_asked)
            if compared >= self.count:
                unseen += self.labels[at : self.count]
                return self.count, []
            unseen += self.labels[at:compared]
            if compared == next_asked:
                next_asked = next(asked)
            found = self._compare(compared)
            at = compared + 1
            if found:
                return at, found

    def learn(self, loops: Any) -> None:
        """Put all that the rows change into the state."""
        state, count, arms = self.parts.state, self.count, self.arms
        if count < len(self.labels):
            self.folded = arms.linear.fold(loops, self.rows, self.labels, count)
        arms.linear.put(self.folded)
        labels = self.labels[:count]
        arms.champion.updates += count
        score_many(
            loops, arms.champion.scoreboard, labels, self.champion.values[:count], self.champion.shares_of(labels)
        )
        for name, arm in arms.baselines.items():
            answers = self.baselines[name]
            cold = int(answers[0] is None)
            score_many(loops, arm.scoreboard, labels[cold:], answers[cold:count], [None] * (count - cold))
            learn_labels(arm.model, labels, answers)
            arm.updates += count
        if arms.last_good is not None:
            for number, answer in self.last_good.items():
                if number < count:
                    arms.last_good.score(answer, labels[number], LAST_GOOD)
        for feature, segment in state.segments.items():
            for features, label, value in zip(self.features, labels, self.champion.values, strict=False):
                segment.update(features.get(feature), label, value)
        state.sources.update(filter(None, self.sources[:count]))
        state.probes.extend(self.features[:count])
        state.step += count
        state.asked += count
        state.updates += count
        state.clock = self.place(count - 1).clock

    def publish(self, turn: Turn, messages: Sequence[KafkaMessage]) -> None:
        """Emit the predictions of each row, and move the turn to the last one."""
        names = [name for name in self.parts.state.arms if name in (CHAMPION, LAST_GOOD)]
        ends = [first for first, _ in self.begins[1:]] + [self.count]
        for (first, (message, row, clock)), end in zip(self.begins, ends, strict=True):
            for number in range(first, min(end, self.count)):
                # The ids of a message's first row go on from those of the entries that expired before it.
                if number or row:
                    turn.move_on(messages[message], row + number - first, clock)
                record = self.records[number]
                record_id = None if record.id is UNSET else record.id
                for name in names:
                    if name == CHAMPION:
                        prediction: Prediction | None = self.champion.prediction(number)
                    elif number in self.last_good:
                        prediction = self.last_good[number]
                    else:
                        continue
                    turn.emit(
                        Predicted(
                            id=turn.next_id(),
                            record=record_id,
                            arm=name,
                            prediction=prediction,
                            label=self.labels[number],
                        )
                    )


def _is_plain(record: Record | Control | Refused) -> bool:
    """Tell whether a record is a sample, and nothing more."""
    return isinstance(record, Record) and record.label is not UNSET and record.features is not UNSET
