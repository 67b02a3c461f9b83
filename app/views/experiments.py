"""`GET /v1/{task}/experiments`: which of two arms is better, as far as that is known."""

from aiohttp import web

from headrace.app.answers import RunningExperiments
from headrace.app.contract import contract
from headrace.app.views.resource import Resource


class Experiments(Resource):
    """The experiments of a task's shards, as this worker has them: of another worker's shard, as of its last snapshot."""

    @contract(role="predict", gives=RunningExperiments)
    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """List the experiments of each shard, with the bounds of the mean difference of losses and the verdict."""
        shards = self.serving.task(task).shards
        running = [
            experiment.describe(partition)
            for partition, learner in shards.folded()
            for experiment in learner.state.experiments.values()
            if {experiment.a, experiment.b} <= learner.state.arms.keys()
        ]
        return self.answer(RunningExperiments(running))
