"""`GET /v1/{task}`: the status of a task's shards on this worker."""

import asyncio

import msgspec
from aiohttp import web
from aiokafka.errors import KafkaError

from headrace.agents.shard import Shard
from headrace.agents.shards import Model, Shards
from headrace.app.answers import (
    InForce,
    MirrorStatus,
    OverallStatus,
    PlacementStatus,
    QuarantinedStatus,
    ShardState,
    Status,
    Waits,
    tell_settings,
)
from headrace.app.contract import contract
from headrace.app.views.resource import Resource
from headrace.learning.arms import absent_arms, say_absent
from headrace.learning.experiments import Segment, merge_segments
from headrace.learning.metrics import ServedScores
from headrace.learning.metrics.overall import ArmFigures, Overall
from headrace.learning.metrics.regret import regret
from headrace.learning.task import Json, Kind, define, differences, fingerprint

END_SECONDS = 2.0
"""How long the look-up of the log's end may take; then `end` is null. A status must not hang with the broker."""


class TaskStatus(Resource):
    """The status of a task's shards."""

    @contract(role="predict", gives=Status)
    async def get(self, request: web.Request, task: str) -> web.Response:  # noqa: ARG002
        """Return position, end, updates, digest and metrics of every shard that this worker owns or answers for, and the figures over all of them."""
        served = self.serving.task(task)
        shards = served.shards
        known = shards.known()
        described = [
            await self._describe(shard, shards.answering(partition), served.state_of(shard))
            for partition, shard in known.items()
        ]
        try:  # after the positions: an end before a position then means that the log has lost records
            ends = await asyncio.wait_for(shards.collaborators.log.ends(known), END_SECONDS)
        except (KafkaError, OSError):
            ends = {}
        for fields in described:
            if "position" in fields:
                fields["end"] = ends.get(fields["partition"])
        appender = self.serving.appender
        logging = {"appended": appender.appended, "failed": appender.failed, "refused": appender.refused}
        status: dict[str, Json] = {"task": task, "kind": served.task.kind, "partitions": served.task.partitions}
        status["settings"] = tell_settings(served.task)
        status["answered"] = served.telemetry.predictions
        status |= {"logging": logging, "shards": described, "overall": await self._overall(served.task.kind, shards)}
        if shards.trouble is not None:
            status["error"] = str(shards.trouble)
        if ingest := self.wiring.app.ingesting.get(task):
            status["sources"] = ingest.describe()
        refusals = served.telemetry.refusals
        status["quarantined"] = QuarantinedStatus(refusals.since, dict(refusals.counts.most_common()))
        if served.enricher is not None:
            status["stored"] = msgspec.structs.asdict(served.enricher.counts)
        if failed := [part for part in self.wiring.app.describe_background() if part.failures]:
            status["background"] = failed
        return self.answer(status)

    @staticmethod
    async def _overall(kind: Kind, shards: Shards) -> OverallStatus:
        """Add up the scores of all shards of which this worker has a model. Other requests run between two shards and two arms."""
        partitions: list[int] = []
        arms: dict[str, Overall] = {}
        users = ServedScores(kind)
        segments: dict[str, list[Segment]] = {}
        for partition, learner in shards.folded():
            partitions.append(partition)
            users.add(learner.state.served)
            for name, arm in learner.state.arms.items():
                overall = arms.setdefault(name, Overall(kind, of_labels=arm.role == "baseline"))
                overall.add(arm.scoreboard)
            for feature, segment in learner.state.segments.items():
                segments.setdefault(feature, []).append(segment)
            await asyncio.sleep(0)
        described: dict[str, ArmFigures] = {}
        for name, scores in arms.items():
            described[name] = scores.describe()
            await asyncio.sleep(0)
        metrics = {name: arm.metrics for name, arm in described.items()}
        return OverallStatus(
            partitions,
            described,
            users.values(),
            regret(kind, arms, metrics) if arms else None,
            {feature: merge_segments(kind, each).values() for feature, each in segments.items()},
        )

    @staticmethod
    async def _describe(shard: Model, model: Model | None, state: ShardState) -> dict[str, Json]:
        """Describe a shard, and the model that answers for it, which is another one while an owned shard is being opened."""
        fields: dict[str, Json] = {"partition": shard.partition, "state": state}
        if state == "waiting" and isinstance(shard, Shard) and shard.waiting is not None:
            fields["waits"] = Waits(shard.waiting.why, shard.waiting.id, round(shard.waits_for, 3))
        if shard.error:
            fields["error"] = shard.error
        if isinstance(shard, Shard):
            if shard.notice:
                fields["notice"] = shard.notice
            fields |= {"state_bytes": shard.saver.sealer.size, "seal_s": round(shard.saver.sealer.seconds, 6)}
            if jobs := shard.describe_jobs():
                fields["jobs"] = jobs
            if (keys := shard.placement) is not None:
                fields["placement"] = PlacementStatus(keys.since, keys.looked_at, keys.misplaced, keys.by_crc32)
            if changes := list(shard.feature_changes.find()):
                fields["changes"] = changes
            if (copies := shard.mirroring) is not None:
                fields["mirror"] = MirrorStatus(
                    copies.copied, len(copies.waiting), copies.missed, copies.errands.failures, copies.error
                )
        if model is None or model.learner is None:
            return fields
        digests = await model.digests()
        learner = model.learner
        described = learner.describe()
        if digests is not None and digests.position != described["position"]:
            digests = None
        for name, arm in described["arms"].items():
            arm["digest"] = digests.arms.get(name) if digests else None
            arm["made_of"] = learner.state.arms[name].made_of
        fields["staleness_s"] = round(model.staleness, 3)
        fields["definition"] = InForce(
            fingerprint(learner.definition), learner.state.defined_at, msgspec.json.decode(learner.definition)
        )
        fields["wanted"] = differences(learner.definition, define(learner.settings))
        if absent := absent_arms(learner.task, shard.partition, learner.state.arms):
            fields["absent"] = {name: say_absent(learner.task.name, name, version) for name, version in absent.items()}
        return fields | described | {"digest": digests.state if digests else None}
