"""A log that is folded as it is written."""

import json
import random

import msgspec

from headrace.learning.effects import Acted, Saved
from headrace.learning.encoding import encode
from headrace.learning.fold.learner import Learner
from headrace.learning.promises import Promises
from headrace.learning.records.message import Message
from headrace.learning.supplies import InMemory, Supplies
from headrace.learning.task import define


class Log:
    """A log that is folded as it is written; its effects are kept, and the models of its versions supplied."""

    def __init__(self, task, outcomes=(), modules=()):
        self.supplies = Supplies(InMemory(), Promises(task), modules)
        for outcome in outcomes:  # they stand further on in the log
            row = {"control": "outcome", **msgspec.to_builtins(outcome)}
            self.supplies.promises.note(Message(10**6, json.dumps(row).encode()))
        self.learner = Learner(task, 0, supplies=self.supplies)
        self.effects, self.rng = [], random.Random(3)
        self.fold({"control": "define", "task": json.loads(define(task)), "first": True})

    @property
    def state(self):
        return self.learner.state

    @property
    def champion(self):
        return self.learner.champion

    def fold(self, *rows, clock=0):
        value = b"\n".join(json.dumps(row).encode() for row in rows)
        for effects in self.learner.fold(Message(self.state.position, value, timestamp=clock)):
            self.effects += effects

    def samples(self, n, sign=1):
        for _ in range(n):
            x = self.rng.gauss(0, 1)
            self.fold({"features": {"x": x, "bias": 1.0}, "label": sign * x > 0})

    def until(self, kind, sign=-1, at_most=600):
        """Fold samples until an effect of a kind comes, and return the effect."""
        for _ in range(at_most):
            seen = len(self.effects)
            self.samples(1, sign)
            for one in self.effects[seen:]:
                if isinstance(one, kind):
                    return one
        raise AssertionError(f"no {kind.__name__} came within {at_most} samples")

    def control(self, command, **parts):
        self.fold({"control": command, **parts})
        return next(one.did for one in reversed(self.effects) if isinstance(one, Acted))

    def give(self, name, arm):
        """Supply the model of an arm as what was made for the install of this id."""
        self.supplies.artefacts.made[name, arm.digest] = encode(arm.model)

    def of(self, kind):
        return [one for one in self.effects if isinstance(one, kind)]

    def saved(self):
        return [one.version for one in self.of(Saved)]
