"""Judges a system after a fault: each shard is equal to the fold of the log that is there, or stopped by an error that names the cause.

Everything else is *silent*: `live` with another digest, `live` while it folds nothing, `opening` for ever, not owned by anybody, stopped
by an error that does not tell what was done. What stands beside the shards is judged too: replicas, intakes of the source, stored
features, the ids in quarantine, readiness.
"""

import json
import re
import time
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import harness
from system import Node, System

from headrace.learning.effects import Effect, Quarantined
from headrace.learning.fold.learner import Learner

GRACE_SECONDS = 15.0
"""How long something may be wrong after the feed has stopped before it counts: whoever looks every few seconds finds it."""

LOOK_SECONDS = 0.5

EXITS_MAX = 3
"""How often a worker may end by itself after one fault; then it is not started again, and what it says counts as its error."""

State = Literal["equal", "stopped", "moving", "wrong"]


class Finding(NamedTuple):
    """How one thing is: `equal`, `stopped` by an error that names the cause, `moving` (it may still come right), or `wrong`."""

    what: str
    state: State
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}" if self.detail else self.what


class Fold(NamedTuple):
    """The uninterrupted fold of a partition as it is, to its end."""

    learner: Learner
    digest: str
    effects: list[Effect]
    messages: list

    @property
    def updates(self) -> int:
        """How many labels the champion has learned."""
        return self.learner.state.updates


class Verdict(NamedTuple):
    """What came of a fault. `equal` and `stopped` are right; `silent` is not."""

    outcome: Literal["equal", "stopped", "silent", "skipped"]
    detail: str
    seconds: float


class Judge:
    """Looks at a system until it has settled.

    Parameters
    ----------
    system
        The feed is paused, and every fault has been lifted.
    causes
        What an error must say, one of these patterns, to have named the cause; without any, nothing may stop.
    limit
        Seconds after which nothing is given more time.
    """

    def __init__(self, system: System, causes: Sequence[str] = (), limit: float = 60.0):
        self.system, self.limit = system, limit
        self.causes = [re.compile(cause, re.IGNORECASE | re.DOTALL) for cause in causes]
        self._folds: dict[tuple[int, int], Fold] = {}

    def settle(self) -> Verdict:
        """Wait until all is equal or stopped, or wrong for so long that it will not come right."""
        started, wrong_since = time.monotonic(), None
        for node in self.system.nodes:
            node.exits.clear()
        while True:
            for node in self.system.nodes:
                if len(node.exits) < EXITS_MAX:
                    node.revive()
            findings = list(self.look())
            now, states = time.monotonic(), {finding.state for finding in findings}
            if states <= {"equal", "stopped"}:
                stopped = [str(finding) for finding in findings if finding.state == "stopped"]
                return Verdict("stopped" if stopped else "equal", "; ".join(stopped), now - started)
            wrong_since = (wrong_since or now) if "wrong" in states else None
            is_over = now - started > self.limit
            if is_over or (wrong_since and now - wrong_since > GRACE_SECONDS):
                bad = [f"{one} [{one.state}]" for one in findings if one.state in ("moving", "wrong") or one.detail]
                return Verdict("silent", "; ".join(bad), now - started)
            self._folds.clear()
            time.sleep(LOOK_SECONDS)

    def look(self) -> Iterator[Finding]:
        """How everything is now. What is dear to compare is compared only when all shards are at their ends."""
        system = self.system
        standings = {node: body for node in system.nodes if (body := self._standing(node)) is not None}
        saying = [text for node in system.nodes for text in self._says(node)]
        saying += [body["error"] for body in standings.values() if "error" in body]  # of the task as a whole
        ends = system.ends(system.task.events)
        shards = [
            finding
            for partition in range(max([system.task.partitions, *(at + 1 for at in ends)]))
            for finding in self._shard(partition, standings, ends.get(partition), saying)
        ]
        yield from shards
        if any(finding.state in ("moving", "wrong") for finding in shards):
            return
        unready = [node.name for node in system.nodes if node.ask("/readyz")[0] != 200]
        is_stopped = any(finding.state == "stopped" for finding in shards)
        if unready and not is_stopped:
            yield Finding("readiness", "moving", f"{', '.join(unready)} not ready: {saying[:2]}")
        yield from self._sources(standings, is_stopped=is_stopped)
        yield from self._stored(is_stopped=is_stopped)
        yield from self._quarantine()

    def _standing(self, node: Node) -> dict | None:
        status, body = node.ask(f"/v1/{self.system.task.name}")
        return body if status == 200 else None

    def _says(self, node: Node) -> Iterator[str]:
        """What a worker that is not ready says, and what one said that has ended by itself too often."""
        status, body = node.ask("/readyz")
        if status not in (0, 200):
            yield f"{node.name} /readyz {status}: {body.get('detail')}"
        if len(node.exits) >= EXITS_MAX:
            yield f"{node.name} {node.exits[-1]}"

    def _names_cause(self, text: str | None) -> bool:
        return any(cause.search(text or "") for cause in self.causes)

    def _shard(self, partition: int, standings: dict, end: int | None, saying: list[str]) -> Iterator[Finding]:
        what, owners, others = f"shard {partition}", 0, []
        stops = False
        for node, body in standings.items():
            for shard in body["shards"]:
                if shard["partition"] != partition:
                    continue
                if shard["state"] in ("replica", "stale"):
                    others.append((node, shard))
                elif shard["state"] == "stopped":
                    owners, stops = owners + 1, True
                    named = self._names_cause(shard.get("error"))
                    yield Finding(
                        f"{what} on {node.name}", "stopped" if named else "wrong", f"stopped: {shard.get('error')}"
                    )
                elif shard["state"] == "live":
                    owners += 1
                    yield self._compare(f"{what} on {node.name}", partition, shard, end)
        if not owners:
            said = next((text for text in saying if self._names_cause(text)), None)
            if said:
                stops = True
                yield Finding(what, "stopped", said)
            else:
                seen = [
                    f"{node.name} {shard['state']} {shard.get('error') or ''}".rstrip()
                    for node, body in standings.items()
                    for shard in body["shards"]
                    if shard["partition"] == partition
                ]
                silent = [node.name for node in self.system.nodes if node not in standings]
                yield Finding(
                    what, "moving", f"nobody folds it (log end {end}; {seen}; no answer of {silent}; said: {saying})"
                )
        if not stops:
            for node, shard in others:
                yield self._compare(f"replica of {partition} on {node.name}", partition, shard, end)

    def _compare(self, what: str, partition: int, shard: dict, end: int | None) -> Finding:
        """A model that says that it is at the end of the log must be the fold of it."""
        position = shard.get("position")
        if end is None:
            return Finding(what, "moving", f"{shard['state']} at {position}, but there is no such partition in the log")
        if position is None or position < end:
            return Finding(
                what, "moving", f"{shard['state']} at {position}, the log ends at {end}, error {shard.get('error')}"
            )
        if position > end:
            return Finding(
                what, "wrong", f"{shard['state']} at {position}, but the log ends at {end} (it says {shard.get('end')})"
            )
        fold = self._fold(partition, end)
        if fold.learner.state.position != end:
            return Finding(what, "moving", f"the log goes on: {fold.learner.state.position}")
        if fold.digest != shard.get("digest"):
            detail = (
                f"{shard['state']} at {position} with digest {str(shard.get('digest'))[:12]} and {shard.get('updates')} updates, "
                f"the fold of the log has {fold.digest[:12]} and {fold.updates}"
            )
            return Finding(what, "wrong", detail)
        return Finding(what, "equal", shard.get("error") or "")

    def _fold(self, partition: int, end: int) -> Fold:
        key = partition, end
        if key not in self._folds:
            messages = [m for m in self.system.read(self.system.task.events, partition) if m.offset < end]
            self._folds[key] = fold_of(self.system, partition, messages, end)
        return self._folds[key]

    def _sources(self, standings: dict, *, is_stopped: bool) -> Iterator[Finding]:
        """Every partition of the source is mapped to its end by a live intake, and each of its records was folded once."""
        system = self.system
        ends = system.ends(system.source)
        kept = {}
        for (partition, _), fold in self._folds.items():
            kept |= sourced(fold.messages, partition)
        for partition in range(max([2, *(at + 1 for at in ends)])):
            what, end = f"intake {partition}", ends.get(partition)
            intakes = [
                (node, intake)
                for node, body in standings.items()
                for intake in body.get("sources", {}).get("partitions", [])
                if intake["partition"] == partition and intake["topic"] == system.source
            ]
            if not intakes:
                yield Finding(what, "moving", f"nobody maps it (the source ends at {end})")
            for node, intake in intakes:
                at = f"{what} on {node.name}"
                position, state, error = intake["position"], intake["state"], intake["error"]
                if state == "stopped":
                    yield Finding(at, "stopped" if self._names_cause(error) else "wrong", f"stopped: {error}")
                elif is_stopped:
                    continue
                elif end is not None and position > end:
                    yield Finding(
                        at, "wrong", f"{state} at {position}, but the source ends at {end} (it says {intake['end']})"
                    )
                elif state != "live" or position != end:
                    yield Finding(at, "moving", f"{state} at {position}, the source ends at {end}, error {error}")
                else:
                    missing = [
                        record.offset
                        for record in system.read(system.source, partition)
                        if record.offset >= system.source_from.get(partition, 0)
                        and kept.get(f"{system.source}/{partition}/{record.offset}")
                        != json.loads(record.value)["bid"]["price"]
                    ]
                    if missing:
                        yield Finding(
                            at, "wrong", f"{len(missing)} of {end} records were never folded, at {missing[:3]}..."
                        )
                    else:
                        yield Finding(at, "equal")

    def _stored(self, *, is_stopped: bool) -> Iterator[Finding]:
        """Each worker has of every entity what the topic says last."""
        system = self.system
        latest = {m.key: m.value for m in system.read(f"{system.task.name}.features")}
        for node in system.nodes:
            different = []
            for key, value in latest.items():
                _, body = node.ask(f"/v1/{system.task.name}/features/{key.decode()}")
                has = body.get("features", {}).get("weekly", {}).get("value")
                if has != json.loads(value)["weekly"]:
                    different.append(f"{key.decode()} is {has}")
            if different and not is_stopped:
                detail = f"{len(different)} of {len(latest)} entities differ from the topic: {different[:3]}"
                yield Finding(f"stored features on {node.name}", "wrong", detail)
            elif not different:
                yield Finding(f"stored features on {node.name}", "equal")

    def _quarantine(self) -> Iterator[Finding]:
        """What the fold refuses was told."""
        if not self.system.is_complete:
            return
        for (partition, _), fold in self._folds.items():
            messages = self.system.read(f"{self.system.task.name}.quarantine", partition)
            there = {dict(message.headers)["id"].decode() for message in messages}
            untold = {effect.id for effect in fold.effects if isinstance(effect, Quarantined)} - there
            if untold:
                yield Finding(
                    f"quarantine {partition}",
                    "wrong",
                    f"{len(untold)} refused records were not told: {sorted(untold)[:3]}",
                )


def fold_of(system: System, partition: int, messages: Sequence, end: int) -> Fold:
    """The uninterrupted fold of these messages, to this end: offsets that hold none are passed over."""
    learner, effects = Learner(system.task, partition), []
    for message in messages:
        learner.pass_over(message.offset)
        for some in learner.fold(message):
            effects += some
    learner.pass_over(end)
    return Fold(learner, harness.digest_of(learner), effects, list(messages))


def sourced(messages: Sequence, partition: int) -> dict[str, float]:
    """Of each record of a source that the fold of these messages takes, its place and its price: the first copy that is ahead of all before."""
    furthest: dict[tuple[str, str], int] = {}
    kept = {}
    for message in messages:
        if b'"source"' not in message.value:
            continue
        record = json.loads(message.value)
        topic, part, offset, *_ = record["source"].split("/")
        if int(offset) > furthest.get((topic, part), -1):
            furthest[topic, part] = int(offset)
            kept[f"{topic}/{part}/{offset}"] = record["features"]["price"]
    return kept
