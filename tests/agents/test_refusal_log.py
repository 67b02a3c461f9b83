"""The refusal log: each code has a line a minute at most, which counts, and names what is near."""

import asyncio
import json
import uuid

import harness
from structlog.testing import capture_logs

from headrace.agents.refusal_log import LINE_SECONDS, RefusalLog
from headrace.tables.kafka.topics import Topic, prepare


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_code_has_one_line_a_minute_which_counts_what_came_since_the_last():
    clock = Clock()
    refusals = RefusalLog("ads", clock=clock)
    with capture_logs() as lines:
        for _ in range(5):
            refusals.note("label", "why", "ads/0/1/0/0")
        refusals.note("feature", "why", "ads/0/2/0/0")
        clock.now += LINE_SECONDS - 0.1
        refusals.note("label", "why", "ads/0/3/0/0")
        assert [(line["code"], line["records"]) for line in lines] == [("label", 1), ("feature", 1)]
        clock.now += 0.2
        refusals.note("label", "again", "ads/0/4/0/0")
    assert (lines[-1]["code"], lines[-1]["records"], lines[-1]["reason"]) == ("label", 6, "again")
    assert {line["log_level"] for line in lines} == {"warning"}
    assert refusals.counts == {"label": 7, "feature": 1}


def test_what_a_terminal_would_obey_is_written_as_an_escape_and_a_long_reason_is_cut():
    with capture_logs() as lines:
        RefusalLog("ads").note("record", "feature '\x1b[2J' is not declared." + "x" * 5_000, "ads/0/1/0/0")
    assert lines[0]["reason"].startswith(r"feature '\x1b[2J' is not declared.")
    assert len(lines[0]["reason"]) == 300


def test_status_counts_by_code_and_the_log_names_near_misses(broker, tmp_path):
    run = uuid.uuid4().hex[:8]
    task, topic = f"near-{run}", f"rows-{run}"
    asyncio.run(prepare(broker, [Topic(topic, 1, {})]))
    worker = harness.Worker(
        tmp_path,
        broker,
        f'[tasks.{task}]\nkind = "binary"\n[tasks.{task}.features]\nseconds = {{ type = "float" }}\n'
        f'[[tasks.{task}.sources]]\ntopic = "{topic}"\nlabel = "y"\nfeatures = "x"\n',
    ).start()
    rows = [
        {"features": {"secs": 1}, "label": True},
        {"features": {"seconds": 1}, "label": True, "time": 1_767_225_600_000},
        {"features": {"seconds": 1}, "label": "yes"},
    ]
    lines = [json.dumps(row).encode() for row in rows]
    pretty = json.dumps({"features": {"seconds": 1}, "label": True}, indent=1).encode()

    def codes():
        return worker.get(f"/v1/{task}")["quarantined"]["codes"]

    try:
        worker.wait_ready()
        assert codes() == {}
        assert "quarantined since" not in worker.run("status", task).stdout
        asyncio.run(harness.append(broker, f"{task}.events", [(0, line) for line in [*lines, lines[0], pretty]]))
        asyncio.run(harness.append(broker, topic, [(0, b'{"x": {"seconds": 1}, "y": 5}')]))
        expected = {"not_json": 6, "record": 2, "label": 2, "shape": 1}
        harness.wait_for(lambda: codes() == expected, 30, lambda: f"all are counted: {codes()}")
        said = " ".join(worker.run("status", task).stdout.split())
        assert f"UTC: 6 not_json, 2 record, 2 label, 1 shape. See headrace quarantine {task}." in said

        def told():
            lines = [json.loads(line) for line in worker.log().splitlines() if '"records are refused"' in line]
            return {line["code"]: line["reason"] for line in lines}, len(lines)

        harness.wait_for(lambda: told()[1] == 4, 10, "one line of each code")
        reasons, _ = told()
        assert "Did you mean 'seconds'?" in reasons["record"]
        assert "looks like milliseconds" in reasons["shape"]
        assert "one JSON object over several lines" in reasons["not_json"]
    finally:
        worker.stop("SIGKILL")
