"""The quarantine over HTTP and by command: the last refused records, counts by reason, and records that are sent again once."""

import asyncio
import json
import uuid

import harness
import pytest

from headrace import Client
from headrace.app.cli.mend import _send, read_mended
from headrace.app.client import RefusedError
from headrace.app.settings import load

NAME = f"refused-{uuid.uuid4().hex[:8]}"
TOML = f"""
[tasks.{NAME}]
kind = "binary"
partitions = 2
"""

BAD = {
    0: [b'{"features": {"x": 1}, "label": "yes"}', b"{", b'{"features": {"x": 2}, "label": "no"}'],
    1: [b'{"features": {"x": null}, "label": true}', b'{"features": {"x": 3}, "label": "<b>yes</b>"}'],
}


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    started = harness.Worker(tmp_path_factory.mktemp("refused"), broker, TOML).start()
    try:
        started.wait_ready()
        for partition, lines in BAD.items():
            for line in lines:
                asyncio.run(harness.append(broker, f"{NAME}.events", [(partition, line)]))
        harness.wait_for(lambda: total(started) == 5, 20, "all are refused")
        yield started
    finally:
        started.stop("SIGKILL")


def total(worker, key="quarantined"):
    return sum(shard[key] for shard in worker.get(f"/v1/{NAME}")["shards"] if key in shard)


def test_the_last_records_come_newest_first_with_counts_of_all(worker):
    with Client(worker.address) as client:
        harness.wait_for(lambda: client.quarantine(NAME).counted == 5, 20, "the broker has them")
        answer, last = client.quarantine(NAME), client.quarantine(NAME, limit=1)
    assert (answer.counts, answer.kept) == ({"label": 3, "feature": 1, "not_json": 1}, 5)
    assert [(one.partition, one.value.encode()) for one in answer.records] == [
        (partition, line) for partition in (1, 0) for line in reversed(BAD[partition])
    ]
    newest = answer.records[0]
    assert (newest.topic, newest.row, newest.code, newest.key) == (f"{NAME}.events", 0, "label", None)
    assert newest.id.startswith(f"{NAME}/1/{newest.offset}/0/")
    assert (newest.stored_in, newest.stored_at, newest.bytes) == (1, 1, len(BAD[1][1]))
    assert last.records == answer.records[:1]
    assert last.counts == answer.counts


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "", "1e2"])
def test_a_limit_that_is_none_is_refused(worker, limit):
    status, problem = worker.post(f"/v1/{NAME}/quarantine?limit={limit}", b"", method="GET")
    assert (status, problem["code"]) == (422, "limit")


def test_records_of_others_take_the_role_admin(broker, tmp_path):
    from keyed import bearer, keyed

    name = f"refused-keyed-{uuid.uuid4().hex[:8]}"
    toml, settings = keyed(tmp_path, name)
    worker = harness.Worker(tmp_path / "one", broker, toml, settings).start()
    try:
        worker.wait_ready()
        for role in ("predict", "feedback"):
            status, problem = worker.post(f"/v1/{name}/quarantine", b"", headers=bearer(role), method="GET")
            assert (status, problem["code"]) == (403, "role")
            assert "'admin'" in problem["detail"]
    finally:
        worker.stop("SIGKILL")


def test_a_task_that_is_none_is_refused(worker):
    with Client(worker.address) as client, pytest.raises(RefusedError) as caught:
        client.quarantine("none")
    assert caught.value.code == "unknown_task"


def test_a_long_record_is_cut_in_the_answer_and_its_size_is_told(worker, broker):
    name = NAME
    value = json.dumps({"features": {"x": "é" * 5_000}, "label": True}, ensure_ascii=False).encode()
    asyncio.run(harness.append(broker, f"{name}.events", [(0, value)]))
    with Client(worker.address) as client:
        harness.wait_for(lambda: client.quarantine(name).counts.get("feature") == 2, 20, "it is refused")
        record = client.quarantine(name, limit=1).records[0]
    assert record.bytes == len(value)
    assert len(record.value.encode()) <= 4_096 + 3


def test_the_command_counts_explains_and_shows_records_of_each_reason(worker):
    done = worker.run("quarantine", NAME, "--limit", "1")
    assert done.returncode == 0, done.stderr
    flat = " ".join(done.stdout.replace("│", " ").split())
    assert "records are in" in flat
    assert "counted: all of them" in flat
    assert "Send a label of the" in flat, "the remedy of the code"
    assert done.stdout.count("is not one of true, false. Send true or false.") == 1
    (label,) = json.loads(worker.run("quarantine", NAME, "--reason", "label", "--limit", "1", "--json").stdout)[
        "records"
    ]
    assert label["value"] == BAD[1][1].decode()


def test_what_a_terminal_would_obey_is_shown_as_an_escape(worker, broker):
    asyncio.run(harness.append(broker, f"{NAME}.events", [(0, b"\x1b[2J\x07 gone")]))
    with Client(worker.address) as client:
        harness.wait_for(lambda: client.quarantine(NAME).counts.get("not_json") == 2, 20, "it is refused")
    shown = worker.run("quarantine", NAME, "--reason", "not_json", "--limit", "1").stdout
    assert "\x1b" not in shown
    assert r"\x1b[2J\x07 gone" in shown


@pytest.fixture
def refusing(broker, tmp_path):
    """A worker whose two shards have refused twelve records, six of them for their label."""
    name = f"again-{uuid.uuid4().hex[:8]}"
    toml = f'[tasks.{name}]\nkind = "binary"\npartitions = 2\n'
    started = harness.Worker(tmp_path / "one", broker, toml).start()
    started.task, started.broker = name, broker
    try:
        started.wait_ready()
        for number in range(12):
            record = (
                {"features": {"x": number}, "label": "yes"} if number % 2 else {"features": {"x": None}, "label": True}
            )
            asyncio.run(harness.append(broker, f"{name}.events", [(number % 4 // 2, json.dumps(record).encode())]))
        with Client(started.address) as client:
            harness.wait_for(lambda: client.quarantine(name).counted == 12, 20, "all are refused")
        yield started
    finally:
        started.stop("SIGKILL")


def run(worker, *words, status=0):
    done = worker.run("quarantine", worker.task, *map(str, words))
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def mend(path, **parts):
    """Put the parts into the record of each line."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        line["record"] |= parts
    path.write_text("\n".join(map(json.dumps, lines)))
    return lines


def counts(worker):
    with Client(worker.address) as client:
        harness.wait_for(
            lambda: all(one.position == one.end for one in client.status(worker.task).shards), 20, "folded"
        )
        shards = client.status(worker.task).shards
    return tuple(sum(getattr(shard, name) for shard in shards) for name in ("updates", "skipped", "quarantined"))


def test_mended_records_are_learned_once_however_often_the_file_is_sent(refusing, tmp_path):
    labels, features = tmp_path / "labels.ndjson", tmp_path / "features.ndjson"
    run(refusing, "--export", labels, "--reason", "label")
    run(refusing, "--export", features, "--reason", "feature")
    assert len(mend(labels, label=True)) == 6
    assert "6 records would be sent." in run(refusing, "--replay", labels, "--dry-run")
    run(refusing, "--replay", labels)
    run(refusing, "--replay", labels)  # perhaps before the first are folded
    harness.wait_for(lambda: counts(refusing)[0] == 6, 20, "the six are learned")
    assert "0 records sent again; 6 were sent before" in run(refusing, "--replay", labels)
    assert counts(refusing)[0] == 6
    mend(features, features={"x": 7})
    assert "6 records sent again." in run(refusing, "--replay", features), "those of another reason, which stood before"
    harness.wait_for(lambda: counts(refusing)[0] == 12, 20, "all twelve are learned")
    assert counts(refusing)[2] == 12, "nothing was refused again"


def test_an_interrupted_run_is_completed_by_the_next(refusing, tmp_path):
    path = tmp_path / "mended.ndjson"
    run(refusing, "--export", path, "--reason", "label")
    mend(path, label=False)
    settings = load(str(refusing.config))
    task = settings.tasks[refusing.task]
    asyncio.run(_send(settings, task, read_mended(task, path)[:4]))  # as far as an interrupted run may come
    run(refusing, "--replay", path)
    harness.wait_for(lambda: counts(refusing)[0] == 6, 20, "all six are learned")
    updates, skipped, quarantined = counts(refusing)
    assert (updates, quarantined) == (6, 12)
    assert skipped in (0, 4), "skipped if they were sent twice; otherwise the worker had told of them"


def test_a_file_with_a_line_that_is_still_wrong_is_not_sent_at_all(refusing, tmp_path):
    path = tmp_path / "half.ndjson"
    run(refusing, "--export", path, "--reason", "label")
    lines = mend(path, label=True)
    lines[2]["record"]["label"], lines[3]["record"], lines[4]["stored"] = "maybe", "text", "7/0/0"
    path.write_text("\n".join([*map(json.dumps, lines), json.dumps(lines[0]), "nothing of ours"]))
    said = run(refusing, "--replay", path, status=1)
    assert "line 3: label 'maybe' is not one of true, false." in said
    assert "line 4: its 'record' is not a JSON object" in said
    assert "line 5: its 'stored' names partition 7, and the task has 2." in said
    assert "line 7: it has the place of line 1." in said
    assert "line 8: it is no line of an export." in said
    assert counts(refusing)[:2] == (0, 0)


def test_what_is_refused_again_can_be_exported_and_sent_again(refusing, tmp_path):
    task, path, again = refusing.task, tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    with Client(refusing.address) as client:
        client.predict(task, {"x": 1.0}, id="q1", log=True, key="k")
        for _ in range(2):
            client.label(task, "q1", label=True, key="k")
        harness.wait_for(lambda: client.quarantine(task).counts.get("duplicate_label") == 1, 20, "refused")
        run(refusing, "--export", path, "--reason", "duplicate_label")
        (line,) = [json.loads(text) for text in path.read_text().splitlines()]
        assert line["key"] == "k"
        run(refusing, "--replay", path)
        harness.wait_for(lambda: client.quarantine(task).counts.get("duplicate_label") == 2, 20, "refused again")
        run(refusing, "--export", again, "--reason", "duplicate_label")
        assert "1 records sent again; 1 were sent before" in run(refusing, "--replay", again)


def test_control_records_are_left_out_of_an_export_which_says_what_sends_them(refusing, tmp_path):
    task, path = refusing.task, tmp_path / "all.ndjson"
    bad = [json.dumps({"control": "traffic", "shares": {"nobody": 0.5}}), '{"control": "no such command"}']
    asyncio.run(harness.append(refusing.broker, f"{task}.events", [(0, line.encode()) for line in bad]))
    with Client(refusing.address) as client:
        harness.wait_for(lambda: client.quarantine(task).counted == 14, 20, "both are refused")
    said = " ".join(run(refusing, "--export", path).split())
    assert "12 records are in" in said
    assert (
        f"2 control records are left out, since a file cannot send them. headrace quarantine {task} shows why" in said
    )
    assert f"POST /v1/{task}/control" in said
    mend(path, label=True, features={"x": 1})
    run(refusing, "--replay", path)
    harness.wait_for(lambda: counts(refusing)[0] == 12, 20, "the rest of the file is sent")


def test_an_export_overwrites_nothing(refusing, tmp_path):
    path = tmp_path / "kept.ndjson"
    path.write_text("mine")
    assert "is there already" in run(refusing, "--export", path, status=2)
    assert path.read_text() == "mine"
