"""The join: a question waits for its label, or a label for its question, for a limited log time."""

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import msgspec
import numpy as np

from headrace.learning.errors import StoreError
from headrace.learning.prediction import Frozen, Served
from headrace.learning.tags import tagged
from headrace.learning.task import Json, Label, Value
from headrace.learning.turn import Origin
from headrace.learning.waiting.pending import Pending, PendingEntry

DELAYS = 1_000
"""The number of recent label delays from which quantiles are computed."""

ENTRY_MAX = 256 * 1024
"""The most bytes of an entry. A changelog record has room for more."""

FrozenPrediction = Frozen | None


class WaitingQuestion(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """A question that waits for its label: its features, and the prediction of each arm as `Prediction.freeze` gives it.

    `time` is log time in milliseconds.
    """

    time: int
    features: dict[str, Value]
    predictions: dict[str, FrozenPrediction]
    served: Served | None


class EarlyLabel(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A label that waits for its question."""

    time: int
    label: Label
    origin: Origin


class Marker(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A marker: the question and the label that were folded at these two steps have met."""

    time: int
    question: int
    label: int


EntryContent = WaitingQuestion | EarlyLabel | Marker

decode = msgspec.msgpack.Decoder(EntryContent).decode


def plain(value: np.generic) -> object:
    """Convert a NumPy number, which a model may predict, to a Python number."""
    return value.item()


encode = msgspec.msgpack.Encoder(enc_hook=plain).encode

MODULUS = 1 << 128


def weight(entry: PendingEntry) -> int:
    """Return the number that an entry adds to a state's checksum: 128 bits of a hash of its step, id and content."""
    hashed = b"%d\0%d\0%b%b" % (entry.step, len(entry.id), entry.id.encode(), entry.content)
    return int.from_bytes(hashlib.blake2b(hashed, digest_size=16).digest(), "big")


@tagged("join/1")
class JoinState:
    """The join's part of the state: counts, and the position of the next entry to expire.

    Attributes
    ----------
    waiting, early
        The number of questions that wait for a label, and of labels that wait for a question, now.
    answered, expired, orphans, duplicates
        The number, so far, of answered questions; of questions and of labels whose waiting time passed; of records with a known id.
    oldest
        The step and the log time of the first entry that has not expired, answered or not; None if there is none.
    delays
        The time from question to label of the questions answered last, in milliseconds of log time; 0 for an early label.
    floor
        Log time: entries of earlier times do not count, even if the wait has become longer since.
    entries, checksum
        The number of entries that the table must hold from the step of `oldest` to the last step folded, and the sum of their weights
        modulo 2^128. A worker that loads the state compares both with the table.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.early = 0
        self.answered = 0
        self.expired = 0
        self.orphans = 0
        self.duplicates = 0
        self.oldest: tuple[int, int] | None = None
        self.delays: deque[int] = deque(maxlen=DELAYS)
        self.floor = 0
        self.entries = 0
        self.checksum = 0


class Match(NamedTuple):
    """What the join holds for an id: an unanswered question or an unused label, each with its step, and whether the two have met."""

    question: tuple[int, WaitingQuestion] | None = None
    label: tuple[int, EarlyLabel] | None = None
    met: bool = False


class Join:
    """Joins questions and labels by id.

    The result is the same whatever entries a crash or a paused process has left in the table, because of two rules:

    - An entry counts only if its step is before the step being folded, and its waiting time has not passed in log time.
    - A label does not delete its question. It writes a marker that the two have met, and the marker counts by the same rule.

    Log time never falls from step to step, so entries expire in the order of their steps.

    Parameters
    ----------
    state
        The counts, which the join updates.
    pending
        The entries.
    wait
        How long an entry waits, in milliseconds of log time.
    """

    def __init__(self, state: JoinState, pending: Pending, wait: int):
        self.state = state
        self.pending = pending
        self.wait = wait

    @property
    def due_at(self) -> int | None:
        """The log time at which the next entry expires."""
        return None if self.state.oldest is None else self.state.oldest[1] + self.wait

    def gone_at(self, clock: int) -> int:
        """Return the log time up to which entries no longer count at a log time."""
        return max(clock - self.wait, self.state.floor - 1)

    def find(self, record_id: str, step: int, clock: int) -> Match:
        """Find the entries that count for an id at a step and a log time."""
        question: tuple[int, WaitingQuestion] | None = None
        label: tuple[int, EarlyLabel] | None = None
        for written, content in self.counting(record_id, step, clock):
            if isinstance(content, Marker):
                return Match(met=True)
            if isinstance(content, WaitingQuestion):
                question = written, content
            else:
                label = written, content
        return Match(question, label)

    def counting(self, record_id: str, step: int, clock: int) -> Iterator[tuple[int, EntryContent]]:
        """Yield the entries that count for an id at a step and a log time, each with the step that wrote it, in the order of their steps."""
        gone = self.gone_at(clock)
        for written, _, data in self.pending.of(record_id):
            if written >= step:
                break
            content = decode(data)
            if content.time > gone:
                yield written, content

    def ask(self, record_id: str, step: int, question: WaitingQuestion) -> bool:
        """Keep a question until its label comes; return False if the question is too large to keep."""
        kept = self._keep(record_id, step, question)
        self.state.waiting += kept
        return kept

    def expect(self, record_id: str, step: int, label: EarlyLabel) -> bool:
        """Keep a label until its question comes; return False if the label is too large to keep."""
        kept = self._keep(record_id, step, label)
        self.state.early += kept
        return kept

    def meet(self, record_id: str, step: int, marker: Marker, delay: int) -> None:
        """Mark that a question and its label have met, `delay` milliseconds of log time after the question."""
        state = self.state
        self._put(PendingEntry(step, record_id, encode(marker)))
        if marker.label == step:
            state.waiting -= 1
        else:
            state.early -= 1
        state.answered += 1
        state.delays.append(delay)

    def expire(self, step: int, clock: int) -> Iterator[tuple[int, str, WaitingQuestion | EarlyLabel]]:
        """Yield the step, id and content of each question and label that expires without a match, in the order in which they came.

        Raises
        ------
        StoreError
            The table lacks an entry that the state needs.
        """
        state = self.state
        while state.oldest is not None and state.oldest[1] + self.wait <= clock:
            entry = self.pending.following(state.oldest[0])
            if entry is None or entry.step != state.oldest[0]:
                raise StoreError(
                    f"the pending table has lost the entry of step {state.oldest[0]}.",
                    "It is read again from its topic.",
                )
            content = decode(entry.content)
            self._leave(entry)
            self._move_on(entry.step + 1, step)
            if not self._has_met(entry, step):
                if isinstance(content, WaitingQuestion):
                    state.waiting -= 1
                    state.expired += 1
                else:
                    state.early -= 1
                    state.orphans += 1
                yield entry.step, entry.id, content

    def describe(self) -> dict[str, Json]:
        """Describe the join for `GET /v1/{task}`."""
        names = ("waiting", "early", "answered", "expired", "orphans", "duplicates")
        return {name: getattr(self.state, name) for name in names} | {"label_delay_s": self.label_delays()}

    def label_delays(self) -> dict[str, float | None]:
        """Return quantiles of the last label delays, in seconds of log time; None before the first label of a question."""
        delays = sorted(self.state.delays)
        return {
            f"p{q}": delays[min(len(delays) * q // 100, len(delays) - 1)] / 1000 if delays else None
            for q in (50, 90, 99)
        }

    def _keep(self, record_id: str, step: int, content: WaitingQuestion | EarlyLabel) -> bool:
        data = encode(content)
        if len(data) > ENTRY_MAX:
            return False
        self._put(PendingEntry(step, record_id, data))
        if self.state.oldest is None:
            self.state.oldest = step, content.time
        return True

    def _put(self, entry: PendingEntry) -> None:
        self.pending.put(entry)
        self.state.entries += 1
        self.state.checksum = (self.state.checksum + weight(entry)) % MODULUS

    def _leave(self, entry: PendingEntry) -> None:
        """Take an entry that the state no longer needs out of its count and checksum."""
        self.state.entries -= 1
        self.state.checksum = (self.state.checksum - weight(entry)) % MODULUS

    def _move_on(self, start: int, step: int) -> None:
        """Make the first question or label from step `start` on the oldest entry."""
        entry = self.pending.following(start)
        while entry is not None and entry.step < step:
            content = decode(entry.content)
            if not isinstance(content, Marker):
                self.state.oldest = entry.step, content.time
                return
            self._leave(entry)
            entry = self.pending.following(entry.step + 1)
        self.state.oldest = None
        if self.state.entries:
            raise StoreError(
                f"the pending table has lost {self.state.entries} entries.", "It is read again from its topic."
            )

    def _has_met(self, entry: PendingEntry, step: int) -> bool:
        for written, _, data in self.pending.of(entry.id):
            if written < step:
                content = decode(data)
                if isinstance(content, Marker) and entry.step in (content.question, content.label):
                    return True
        return False
