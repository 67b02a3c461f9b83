"""`GET /v1/{task}/versions`: the saved models to which the shards of a task can go back."""

from collections.abc import Iterator

from aiohttp import web

from headrace.agents.shards import Model
from headrace.app.answers import StoredVersion, StoredVersions
from headrace.app.contract import contract
from headrace.app.views.resource import Resource
from headrace.learning.task import name_of


class Versions(Resource):
    """The versions of a task's shards, as this worker has them: of another worker's shard, as of its last snapshot."""

    @contract(role="predict", gives=StoredVersions)
    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """List the versions of all shards, oldest first."""
        shards = self.serving.task(task).shards
        found = (shards.answering(partition) for partition in shards.known())
        versions = [version for model in found if model is not None for version in describe(model)]
        return self.answer(StoredVersions(sorted(versions, key=lambda one: (one.time, one.partition, one.position))))


def describe(model: Model) -> Iterator[StoredVersion]:
    """Describe the versions of one shard, oldest first."""
    if model.learner is None:
        return
    current = model.learner.champion.version
    for version in model.learner.state.versions.saved.values():
        yield StoredVersion(
            id=version.id,
            partition=model.partition,
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
