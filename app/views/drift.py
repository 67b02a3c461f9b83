"""`GET /v1/{task}/drift`: what the detectors and guards of a task have noticed, and what was done about it."""

from collections.abc import Iterator

from aiohttp import web

from headrace.app.answers import StoredSignal, StoredSignals
from headrace.app.contract import contract
from headrace.app.views.resource import Resource
from headrace.learning.fold.learner import Learner


class Drift(Resource):
    """The signals of a task's shards, as this worker has them: of another worker's shard, as of its last snapshot."""

    @contract(role="predict", gives=StoredSignals)
    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """List the last 1,000 signals of each shard, oldest first."""
        shards = self.serving.task(task).shards
        signals = [signal for shard in shards.folded() for signal in describe(*shard)]
        return self.answer(StoredSignals(sorted(signals, key=lambda one: (one.time, one.partition, one.position))))


def describe(partition: int, learner: Learner) -> Iterator[StoredSignal]:
    """Describe the signals of one shard, oldest first."""
    for signal in learner.state.signals:
        fields = signal._asdict() | {"partition": partition, "time": signal.time / 1000}
        del fields["advised"]
        yield StoredSignal(waits=signal.advised is not None, **fields)
