"""`headrace export`, `import` and `warm-start` on a real log: what is installed is digest-equal, and what is refused changes nothing."""

import json
import random
import uuid

import pytest
from harness import Worker, make_topics, read_all, wait_for
from river import datasets

from headrace.learning.encoding import decode, digest, encode
from headrace.learning.fold.learner import Learner
from headrace.learning.records.message import Message
from headrace.learning.snapshot.package import pack, peek, unpack
from headrace.learning.task import Task
from headrace.learning.versions import Version

RUN = uuid.uuid4().hex[:8]
ADS, SHOP, WARM = f"ads-{RUN}", f"shop-{RUN}", f"warm-{RUN}"
KEY = "a key of thirty-two bytes or more"
TASKS = f"""
[tasks.{ADS}]
kind = "binary"
versions = {{ every = 100, keep = 3, mirror = "file:copies" }}

[tasks.{SHOP}]
kind = "binary"
partitions = 2

[tasks.{WARM}]
kind = "binary"
partitions = 2
"""


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    (folder / "snapshot.key").write_text(KEY)
    (folder / "snapshot.key").chmod(0o600)
    more = 'snapshot_seconds = 0.2\nsnapshot_key_file = "snapshot.key"'
    worker = Worker(folder, broker, TASKS, more).start()
    try:
        yield worker.wait_ready()
    finally:
        worker.stop("SIGKILL")


@pytest.fixture
def cli(headrace, worker, monkeypatch):
    """A command with the settings of the worker."""
    monkeypatch.setenv("HEADRACE_CONFIG", str(worker.config))
    return headrace


def champion(worker, task, partition=0):
    shards = worker.get(f"/v1/{task}")["shards"]
    return next(shard for shard in shards if shard["partition"] == partition)["arms"]["champion"]


def versions(worker, task):
    return worker.get(f"/v1/{task}/versions")["versions"]


@pytest.fixture(scope="module")
def saved(worker, tmp_path_factory):
    """The task `ads` has learned; its newest version."""
    rows = tmp_path_factory.mktemp("rows") / "rows.ndjson"
    dice = random.Random(5)
    features = [{"x": dice.gauss(0, 1), "y": dice.choice("ab")} for _ in range(250)]
    rows.write_text("".join(json.dumps({"features": one, "label": one["x"] > 0}) + "\n" for one in features))
    from click.testing import CliRunner

    from headrace.app.cli import headrace as group

    sent = CliRunner().invoke(group, ["send", ADS, str(rows), "--config", str(worker.config)])
    assert sent.exit_code == 0, sent.output
    wait_for(lambda: len(versions(worker, ADS)) == 2, 30, "two versions")
    return versions(worker, ADS)[-1]


def test_a_version_goes_to_another_task_and_serves_there_equal_in_every_shard(cli, worker, saved, tmp_path):
    path = tmp_path / "it.model"
    exported = cli("export", ADS, saved["id"], path, "--json")
    assert exported.status == 0, exported.err
    head = json.loads(exported.out)["head"]
    assert (head["digest"], head["id"], head["signed"]) == (saved["digest"], saved["id"], True)
    assert head["metrics"] == saved["metrics"]
    assert json.loads(path.read_bytes().split(b"\n", 1)[0]) == head
    imported = cli("import", SHOP, path)
    assert imported.status == 0, imported.err
    assert imported.out.count("installed v200-") == 2
    for partition in range(2):
        arm = champion(worker, SHOP, partition)
        assert (arm["digest"], arm["updates"]) == (saved["digest"], 200)
    there = [one for one in versions(worker, SHOP) if one["current"]]
    assert sorted((one["partition"], one["pinned"], one["digest"]) for one in there) == [
        (0, True, saved["digest"]),
        (1, True, saved["digest"]),
    ]
    back = cli("rollback", SHOP, "previous")
    assert back.status == 0, back.err
    assert champion(worker, SHOP)["updates"] == 0
    again = cli("import", SHOP, path, "--partition", 1, "--json")
    assert again.status == 0, again.err
    assert [shard["partition"] for shard in json.loads(again.out)["shards"]] == [1]
    assert (champion(worker, SHOP, 0)["updates"], champion(worker, SHOP, 1)["digest"]) == (0, saved["digest"])


def test_a_model_that_was_saved_a_moment_ago_is_waited_for(cli, worker, saved, tmp_path):
    assert cli("send", ADS, "river:Phishing", "--limit", 7).status == 0
    made = cli("checkpoint", ADS)
    assert made.status == 0, made.err
    name = made.out.split()[-1]
    assert cli("export", ADS, name, tmp_path / "new.model").status == 0
    assert peek((tmp_path / "new.model").read_bytes()).id == name


def test_a_dry_run_writes_nothing_and_appends_nothing(cli, worker, broker, saved, tmp_path):
    import asyncio

    path = tmp_path / "it.model"
    assert cli("export", ADS, saved["id"], path, "--dry-run").status == 0
    assert not path.exists()
    assert cli("export", ADS, saved["id"], path).status == 0
    topics = [f"{SHOP}.events", f"{SHOP}.versions"]
    before = [len(asyncio.run(read_all(broker, topic))) for topic in topics]
    called = cli("import", SHOP, path, "--dry-run", "--json")
    assert called.status == 0
    record = json.loads(called.out)["record"]
    assert (record["artefact"], record["pin"]) == (f"sha256:{saved['digest']}", True)
    assert cli("warm-start", SHOP, "river:Phishing", "--dry-run").status == 0
    assert [len(asyncio.run(read_all(broker, topic))) for topic in topics] == before


def test_a_file_that_is_there_is_not_written_over_unasked(cli, saved, tmp_path):
    path = tmp_path / "it.model"
    path.write_text("mine")
    called = cli("export", ADS, saved["id"], path)
    assert (called.status, path.read_text()) == (2, "mine")
    assert "--force" in called.err
    assert cli("export", ADS, saved["id"], path, "--force").status == 0
    assert peek(path.read_bytes()).digest == saved["digest"]


def test_a_version_that_is_not_there_is_told_with_one_that_is(cli, saved):
    called = cli("export", ADS, saved["id"] + "9")
    assert called.status == 1
    assert f"Did you mean '{saved['id']}'?" in called.err


def test_a_file_that_must_not_be_taken_changes_nothing(cli, worker, saved, tmp_path):
    path, bad = tmp_path / "it.model", tmp_path / "bad.model"
    assert cli("export", ADS, saved["id"], path).status == 0
    data = path.read_bytes()
    package = unpack(data, KEY.encode())
    task = Task(name=ADS, kind="binary")
    version = Version("v1-0-1", 1, 1, 1, package.head.digest, "logistic", {}, None, "import", None)
    other = Learner(Task(name="x", kind="binary", model="alma"), 0).champion.model
    files = {
        "not signed": pack(version, package.encoding, task, 0),
        "not signed with": pack(version, package.encoding, task, 0, b"another key, which nobody here has"),
        "damaged": data[:-1] + bytes([data[-1] ^ 1]),
        "no file of a version": b"nonsense",
        "does not hold a 'logistic'": pack(version, encode(other), task, 0, KEY.encode()),
    }
    before = [(shard["position"], shard["digest"]) for shard in worker.get(f"/v1/{SHOP}")["shards"]]
    for why, content in files.items():
        bad.write_bytes(content)
        called = cli("import", SHOP, bad)
        assert (called.status, why in called.err) == (1, True), called.err
    called = cli("import", SHOP, path, "--partition", 2)
    assert (called.status, "there is no partition 2" in called.err) == (2, True)
    assert [(shard["position"], shard["digest"]) for shard in worker.get(f"/v1/{SHOP}")["shards"]] == before


def test_the_mirror_has_every_version_as_a_file_that_can_be_imported(cli, worker, saved):
    def shard():
        return worker.get(f"/v1/{ADS}")["shards"][0]

    wait_for(lambda: shard()["mirror"]["waiting"] == 0, 30, lambda: shard()["mirror"])
    assert {name: shard()["mirror"][name] for name in ("missed", "failures", "error")} == {
        "missed": 0,
        "failures": 0,
        "error": None,
    }
    folder = worker.folder / "copies" / ADS / "0"
    for version in versions(worker, ADS):
        assert unpack((folder / f"{version['id']}.model").read_bytes(), KEY.encode()).head.digest == version["digest"]
    assert shard()["wanted"] == {}, "the mirror is no part of the definition"
    assert "mirror" not in shard()["definition"]["task"]["versions"]
    called = cli("import", SHOP, folder / f"{saved['id']}.model")
    assert called.status == 0, called.err
    assert champion(worker, SHOP)["digest"] == saved["digest"]
    assert "mirror: " in cli("status", ADS).out


def river_fold(passes=1):
    """What the fold makes of the data set, in River's order."""
    learner, offset = Learner(Task(name="warm", kind="binary"), 0), 0
    for _ in range(passes):
        for features, label in datasets.Phishing():
            row = json.dumps({"features": features, "label": label}).encode()
            for _ in learner.fold(Message(offset, row)):
                pass
            offset += 1
    return learner.champion


def test_a_task_is_started_with_a_history_in_every_shard(cli, worker):
    called = cli("warm-start", WARM, "river:Phishing", "--json")
    assert called.status == 0, called.err
    told, expected = json.loads(called.out), river_fold()
    assert told["digest"] == expected.digest
    assert [one["metrics"] for one in told["passes"]] == [expected.scoreboard.figures()]
    for partition in range(2):
        arm = champion(worker, WARM, partition)
        assert (arm["digest"], arm["updates"]) == (expected.digest, 1250)
    assert [one["pinned"] for one in versions(worker, WARM) if one["current"]] == [True, True]
    row, label = next(iter(datasets.Phishing()))
    answer = worker.post(f"/v1/{WARM}/predict", {"features": row})[1]
    assert answer["prediction"] is label
    assert cli("send", WARM, "river:Phishing", "--limit", 2).status == 0
    wait_for(lambda: champion(worker, WARM)["updates"] == 1251, 30, "it learns on")


def test_several_passes_go_on_with_the_model_and_are_told_apart(cli):
    called = cli("warm-start", WARM, "river:Phishing", "--passes", 3, "--dry-run", "--json")
    told = json.loads(called.out)
    assert told["digest"] == river_fold(3).digest
    assert [one["learned"] for one in told["passes"]] == [1250] * 3
    assert told["passes"][0]["metrics"] == river_fold().scoreboard.figures()
    assert told["passes"][2]["metrics"]["accuracy"] > told["passes"][0]["metrics"]["accuracy"]


def test_a_bad_row_ends_it_with_its_place_or_is_left_out(cli, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("x,label\n1,true\n2,false\n3,perhaps\n4,true\n")
    called = cli("warm-start", WARM, path, "--dry-run")
    assert called.status == 1
    assert f"{path}, line 4: " in called.err
    called = cli("warm-start", WARM, path, "--dry-run", "--skip-invalid")
    assert called.status == 0
    assert "4 rows, 3 labels learned, 1 left out" in called.out


def test_the_columns_of_id_and_key_are_no_features(cli, tmp_path):
    plain, keyed = tmp_path / "plain.csv", tmp_path / "keyed.csv"
    plain.write_text("x,label\n1,true\n2,false\n")
    keyed.write_text("x,visit,label,user\n1,v1,true,u1\n2,v2,false,u2\n")
    digests = [
        json.loads(cli("warm-start", WARM, *words, "--dry-run", "--json").out)["digest"]
        for words in ([plain], [keyed, "--id", "visit", "--key", "user"])
    ]
    assert digests[0] == digests[1]
    called = cli("warm-start", WARM, keyed, "--key", "person")
    assert (called.status, "there is no column 'person' (--key)" in called.err) == (2, True)
    assert cli("warm-start", WARM, "--from", "1", "--key", "user").status == 2


def test_a_history_without_labels_is_told(cli, tmp_path):
    path = tmp_path / "rows.ndjson"
    path.write_text('{"id": "a", "features": {"x": 1}}\n')
    called = cli("warm-start", WARM, path)
    assert (called.status, "no label to learn" in called.err) == (1, True)


def test_without_a_worker_nothing_is_installed_and_it_is_told(headrace, broker, tmp_path):
    task = f"alone-{RUN}"
    config = tmp_path / "headrace.toml"
    config.write_text(
        f'[broker]\nurl = "kafka://{broker}"\n[worker]\nweb = "127.0.0.1:1"\n[tasks.{task}]\nkind = "binary"\n'
    )
    make_topics(broker, Task(name=task, kind="binary"))
    called = headrace("warm-start", task, "river:Phishing", "--config", config)
    assert called.status == 1
    assert "no worker answers" in called.err


def test_the_encoding_that_is_installed_is_the_models_own():
    """The digest that the command prints is that of the arm."""
    arm = river_fold()
    assert digest(decode(encode(arm.model))) == arm.digest
