"""Sends control records to a task while its workers are killed: everything that an operator may do, at random, by a seed."""

import contextlib
import random
import threading

import harness
import msgspec

from headrace import Client
from headrace.app.client import ClientError
from headrace.learning.task import Task, define


class Controls(threading.Thread):
    """Controls a task through its workers until it is stopped.

    Parameters
    ----------
    workers
        Any of them is asked; one that is away is left out.
    task
        The task. A definition keeps what it watches, how it reacts and its arms.
    models
        What the model may be changed to.
    seed
        Of the choices.
    """

    def __init__(self, workers: list[harness.Worker], task: Task, models: tuple[str, ...], seed: int):
        super().__init__(daemon=True)
        self.workers, self.task, self.models, self.kind = workers, task.name, models, task.kind
        defined = msgspec.json.decode(define(task))
        self.kept = {
            key: defined[key]
            for key in ("detectors", "reactions", "guard", "arms", "experiments", "threshold", "segments")
        }
        self.other = "majority" if task.kind == "binary" else next(iter(task.named_arms))
        self.dice, self.ended, self.sent = random.Random(f"controls {seed}"), threading.Event(), []
        self.jobs = 0
        self.error: Exception | None = None

    def run(self) -> None:
        """Control until it is time to end, and keep what went wrong with that."""
        try:
            self._control()
        except Exception as error:
            self.error = error

    def _control(self) -> None:
        """Send one after the other, some seconds apart; at last cancel and resume, so that nothing waits for long."""
        while not self.ended.wait(self.dice.uniform(0.5, 3.0)):
            for record in self.choose():
                self.send(record)
                self.ended.wait(self.dice.uniform(0.0, 1.0))
        for number in range(
            1, self.jobs + 1
        ):  # each takes half a minute of a long log, and no more of them proves more
            self.send({"control": "cancel", "job": f"j{number}", "why": "the run ends"})
        while not self.send({"control": "resume"}):
            pass

    def stop(self) -> None:
        """Send the last one, and end. Raises what ended it before, and AssertionError if nothing was sent."""
        self.ended.set()
        self.join()
        if self.error is not None:
            raise self.error
        assert len(self.sent) > 1, "not one control record was sent"

    def send(self, record: dict) -> bool:
        """Append a record to all shards, or to one; whether it is known to be there."""
        parts = record | ({"partitions": [0]} if self.dice.random() < 0.2 and record["control"] != "resume" else {})
        worker = self.dice.choice(self.workers)
        with contextlib.suppress(ClientError), Client(worker.address, timeout=5) as client:
            client.control(self.task, parts.pop("control"), **parts, wait_s=0)
            self.sent.append(record["control"])
            return True
        return False

    def any_version(self) -> str:
        """The id of a version that a worker has told of; of none if it does not answer."""
        with contextlib.suppress(ClientError), Client(self.dice.choice(self.workers).address, timeout=5) as client:
            if listed := client.versions(self.task):
                return self.dice.choice(listed).id
        return "v0-0-0"

    def choose(self) -> list[dict]:
        """One thing that an operator does, in one record or two."""
        dice = self.dice
        self.jobs += 1
        job, start = f"j{self.jobs}", dice.choice([0, 0, dice.randint(0, 500)])
        positions = [{"start": at, "end": at + dice.randint(1, 50)} for at in dice.sample(range(5_000), 5)]
        recipes = [
            {"why": "retrain", "start": start},
            {"why": "retrain", "passes": 2},
            {"why": "unlearn", "without": {"positions": positions}},
            {"why": "migrate"},
        ]
        ask = {"control": "job", "job": job, "recipe": dice.choice(recipes)}
        unanswered = {} if self.kind == "anomaly" else {"unanswered": {"assume": False}}
        definition = {"kind": self.kind, "versions": {"every": 500}} | unanswered | self.kept
        definition |= {"wait": dice.choice(["10s", "20s"]), "model": dice.choice(self.models)}
        return dice.choice(
            [
                [{"control": "checkpoint", "pin": dice.random() < 0.1}],
                [{"control": "pin", "version": self.any_version(), "pinned": dice.random() < 0.5}],
                [{"control": "outcome", "of": f"j{dice.randint(1, self.jobs)}", "artefact": None, "why": "too late"}],
                [{"control": "install", "artefact": "0" * 64}],
                [{"control": "rollback", "to": dice.choice(["previous", "best", "last_good"])}],
                [{"control": "pause"}, {"control": "resume"}],
                [{"control": "traffic", "shares": {self.other: dice.choice([0.0, 0.2])}}],
                [ask],
                [ask],
                [ask, {"control": "cancel", "job": job}],
                [{"control": "define", "task": definition}, {"control": "promote"}],
                [{"control": "define", "task": definition, "cold": True}],
            ]
        )
