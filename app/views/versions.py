"""`GET /v1/{task}/versions`: the saved models to which the shards of a task can go back."""

from collections.abc import Iterator

from aiohttp import web

from headrace.app.answers import StoredVersion, StoredVersions
from headrace.app.contract import contract
from headrace.app.views.resource import Resource
from headrace.learning.fold.learner import Learner
from headrace.learning.task import name_of


class Versions(Resource):
    """The versions of a task's shards, as this worker has them: of another worker's shard, as of its last snapshot."""

    @contract(role="predict", gives=StoredVersions)
    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """List the versions of all shards, oldest first."""
        shards = self.serving.task(task).shards
        versions = [version for shard in shards.folded() for version in describe(*shard)]
        return self.answer(StoredVersions(sorted(versions, key=lambda one: (one.time, one.partition, one.position))))


def describe(partition: int, learner: Learner) -> Iterator[StoredVersion]:
    """Describe the versions of one shard, oldest first."""
    current = learner.champion.version
    for version in learner.state.versions.saved.values():
        yield StoredVersion(
            id=version.id,
            partition=partition,
            position=version.position,
            updates=version.updates,
            digest=version.digest,
            model=name_of(version.model),
            reason=version.reason,
            parent=version.parent,
            pinned=version.pinned,
            current=version.id == current,
            metrics=version.metrics,
            error=version.error,
            time=version.time / 1000,
            made_of=version.model,
        )
