"""The join: a question waits for its label, or a label for its question, for a limited log time."""

import hashlib
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from headrace.learning.errors import StoreError
from headrace.learning.prediction import Served
from headrace.learning.tags import tagged
from headrace.learning.task import Label, Value
from headrace.learning.turn import Origin
from headrace.learning.waiting.pending import Pending, Waiting

DELAYS = 1_000
"""The last label delays, of which the quantiles are told."""

ENTRY_MAX = 256 * 1024
"""Bytes of an entry: what a changelog takes in one record with room to spare."""

Frozen = tuple[Label, dict[Label, float] | None] | None


class Question(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Features that wait for a label, with what every arm said of them (label, probabilities). `time` is log time in ms."""

    time: int
    features: dict[str, Value]
    predictions: dict[str, Frozen]
    served: Served | None


class Early(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """A label that waits for its question."""

    time: int
    label: Label
    origin: Origin


class Marker(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Says that the question and the label of two steps have met."""

    time: int
    question: int
    label: int


Entry = Question | Early | Marker

decode = msgspec.msgpack.Decoder(Entry).decode


def plain(value: Any) -> Any:
    """A number of numpy's, which a model may predict, as Python's own."""
    return value.item()


encode = msgspec.msgpack.Encoder(enc_hook=plain).encode

MODULUS = 1 << 128


def weight(waiting: Waiting) -> int:
    """What an entry adds to the checksum of the entries that a state needs: 128 bits of a hash of its step, id and bytes."""
    content = b"%d\0%d\0%b%b" % (waiting.step, len(waiting.id), waiting.id.encode(), waiting.entry)
    return int.from_bytes(hashlib.blake2b(content, digest_size=16).digest(), "big")


@tagged("join/1")
class JoinState:
    """What the state carries of the join: counts, and where the next expiry is.

    Attributes
    ----------
    waiting, early
        Questions without a label, labels without a question, now.
    answered, expired, orphans, duplicates
        Questions answered; questions and labels whose waiting time passed; records whose id was known already. So far.
    oldest
        The step and the log time of the first entry that has not expired, whether it is answered or not.
    delays
        Log milliseconds from question to label, of the last ones answered; 0 for an early label.
    entries, checksum
        How many entries the table must hold from the step of `oldest` up to the last step folded, and the sum of their weights modulo
        2^128. Whoever takes the state up compares both with the table.
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
        self.entries = 0
        self.checksum = 0


class Found(NamedTuple):
    """What counts under an id: an unanswered question, an unused label, whether the two have met already."""

    question: tuple[int, Question] | None = None
    label: tuple[int, Early] | None = None
    met: bool = False


class Join:
    """Finds what belongs together, whatever a crash or a paused process has left among the entries.

    - An entry counts only if its step is before the one being folded, and its waiting time has not passed in log time.
    - Nothing is deleted when a label comes: a marker says that the two have met, and counts by the same rule.

    Log time never falls from step to step, so the order of expiry is the order of steps.

    Parameters
    ----------
    state
        The counts; changed as entries come and go.
    pending
        The entries.
    wait
        Log milliseconds that an entry waits.
    """

    def __init__(self, state: JoinState, pending: Pending, wait: int):
        self.state = state
        self.pending = pending
        self.wait = wait

    @property
    def due_at(self) -> int | None:
        """The log time at which the next entry expires."""
        return None if self.state.oldest is None else self.state.oldest[1] + self.wait

    def find(self, name: str, step: int, clock: int) -> Found:
        """What counts under an id at this step and log time."""
        question: tuple[int, Question] | None = None
        label: tuple[int, Early] | None = None
        for written, _, data in self.pending.of(name):
            if written >= step:
                break
            entry = decode(data)
            if entry.time + self.wait <= clock:
                continue
            if isinstance(entry, Marker):
                return Found(met=True)
            if isinstance(entry, Question):
                question = written, entry
            else:
                label = written, entry
        return Found(question, label)

    def ask(self, name: str, step: int, question: Question) -> bool:
        """Let a question wait; whether it is small enough to."""
        kept = self._keep(name, step, question)
        self.state.waiting += kept
        return kept

    def expect(self, name: str, step: int, label: Early) -> bool:
        """Let a label wait; whether it is small enough to."""
        kept = self._keep(name, step, label)
        self.state.early += kept
        return kept

    def meet(self, name: str, step: int, marker: Marker, delay: int) -> None:
        """Note that a question and its label have met, `delay` log milliseconds after the question."""
        state = self.state
        self._put(Waiting(step, name, encode(marker)))
        if marker.label == step:
            state.waiting -= 1
        else:
            state.early -= 1
        state.answered += 1
        state.delays.append(delay)

    def expire(self, step: int, clock: int) -> Iterator[tuple[str, Question | Early]]:
        """The questions and labels whose waiting time has passed alone, in the order in which they came.

        Raises
        ------
        StoreError
            The table lacks an entry that the state needs.
        """
        state = self.state
        while state.oldest is not None and state.oldest[1] + self.wait <= clock:
            waiting = self.pending.following(state.oldest[0])
            if waiting is None or waiting.step != state.oldest[0]:
                raise StoreError(
                    f"the pending table has lost the entry of step {state.oldest[0]}.",
                    "It is read again from its topic.",
                )
            entry = decode(waiting.entry)
            self._leave(waiting)
            self._move_on(waiting.step + 1, step)
            if not self._has_met(waiting, step):
                if isinstance(entry, Question):
                    state.waiting -= 1
                    state.expired += 1
                else:
                    state.early -= 1
                    state.orphans += 1
                yield waiting.id, entry

    def describe(self) -> dict[str, Any]:
        """What `GET /v1/{task}` says of the join."""
        state, delays = self.state, sorted(self.state.delays)
        names = ("waiting", "early", "answered", "expired", "orphans", "duplicates")
        quantile = {
            f"p{q}": delays[min(len(delays) * q // 100, len(delays) - 1)] / 1000 if delays else None
            for q in (50, 90, 99)
        }
        return {name: getattr(state, name) for name in names} | {"label_delay_s": quantile}

    def _keep(self, name: str, step: int, entry: Question | Early) -> bool:
        data = encode(entry)
        if len(data) > ENTRY_MAX:
            return False
        self._put(Waiting(step, name, data))
        if self.state.oldest is None:
            self.state.oldest = step, entry.time
        return True

    def _put(self, waiting: Waiting) -> None:
        self.pending.put(waiting)
        self.state.entries += 1
        self.state.checksum = (self.state.checksum + weight(waiting)) % MODULUS

    def _leave(self, waiting: Waiting) -> None:
        """The state does not need this entry any more."""
        self.state.entries -= 1
        self.state.checksum = (self.state.checksum - weight(waiting)) % MODULUS

    def _move_on(self, start: int, step: int) -> None:
        """The oldest entry is the first question or label from `start` on."""
        waiting = self.pending.following(start)
        while waiting is not None and waiting.step < step:
            entry = decode(waiting.entry)
            if not isinstance(entry, Marker):
                self.state.oldest = waiting.step, entry.time
                return
            self._leave(waiting)
            waiting = self.pending.following(waiting.step + 1)
        self.state.oldest = None
        if self.state.entries:
            raise StoreError(
                f"the pending table has lost {self.state.entries} entries.", "It is read again from its topic."
            )

    def _has_met(self, waiting: Waiting, step: int) -> bool:
        for written, _, data in self.pending.of(waiting.id):
            if written < step:
                entry = decode(data)
                if isinstance(entry, Marker) and waiting.step in (entry.question, entry.label):
                    return True
        return False
