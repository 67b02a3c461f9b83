"""An idle log: what is due becomes due by a tick that the shard's owner appends, and by nothing else."""

import asyncio
import json
import uuid

import harness

from headrace.app.settings import parse

TOML = {
    "waits": {"wait": "2s", "unanswered": {"assume": False}, "predictions": True},
    "collects": {"update": {"every": "1s"}},
    "orders": {"order": "event_time", "lateness": "1s"},
}


def toml_of(name, more):
    lines = [f"[tasks.{name}]", 'kind = "binary"']
    for key, value in more.items():
        inner = json.dumps(value)
        if isinstance(value, dict):
            inner = "{ " + ", ".join(f"{k} = {json.dumps(v)}" for k, v in value.items()) + " }"
        lines.append(f"{key} = {inner}")
    return "\n".join(lines) + "\n"


def test_what_is_due_while_the_log_is_idle_happens_by_a_tick_in_the_log(broker, tmp_path):
    run = uuid.uuid4().hex[:8]
    tasks = {f"{name}-{run}": more for name, more in TOML.items()}
    toml = "".join(toml_of(name, more) for name, more in tasks.items())
    parsed = parse(
        {"tasks": {name: {"kind": "binary"} | more for name, more in tasks.items()}}, tmp_path / "x.toml"
    ).tasks
    worker = harness.Worker(tmp_path, broker, toml).start()
    try:
        worker.wait_ready()
        question = json.dumps({"id": "q1", "features": {"x": 1.0}}).encode()
        sample = json.dumps({"features": {"x": 1.0}, "label": True, "time": 5.0}).encode()
        for name in tasks:
            rows = [question] if name.startswith("waits") else [sample]
            asyncio.run(harness.append(broker, f"{name}.events", ((0, row) for row in rows)))

        def all_learned():
            return all(worker.get(f"/v1/{name}")["shards"][0]["updates"] == 1 for name in tasks)

        harness.wait_for(all_learned, 30, lambda: f"each task has learned its row; log:\n{worker.log()[-2000:]}")
        for name, task in parsed.items():
            messages = asyncio.run(harness.read_all(broker, task.events))
            ticks = [message for message in messages if message.value == b'{"control": "tick"}']
            assert len(messages) == 2 + len(ticks), messages
            assert ticks, name
            learner, _ = harness.fold(task, 0, messages)
            told = worker.get(f"/v1/{name}")["shards"][0]
            assert (told["updates"], told["digest"]) == (1, harness.digest_of(learner))
            without, _ = harness.fold(task, 0, [one for one in messages if one not in ticks])
            assert without.state.updates == 0
            assert learner.due_at == float("inf"), "there is nothing more to tick for"
    finally:
        worker.stop("SIGKILL")
