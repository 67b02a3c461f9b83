"""`headrace retrain` and `headrace apply --retrain`, as a worker answers them: what they wait for, and how they end."""

import json
import sys

import pytest

from headrace.app.settings import load
from headrace.learning.task import define

TOML = '[tasks.ads]\nkind = "binary"\npartitions = 2\nmodel = "alma"\n'

INSTALLED = "installed v1 in place of v0"


class Worker:
    """A worker that owns shard 0 of two, as the commands ask it."""

    def __init__(self, settings):
        before = json.loads(define(settings.tasks["ads"])) | {"model": "logistic"}
        self.partitions, arms = 2, {"champion": {"model": "logistic"}}
        self.shards = [{"partition": at, "definition": {"task": before}, "arms": arms} for at in range(2)]
        self.posted, self.did = [], {}
        self.looks, self.ends = 0, [(0, INSTALLED), (0, INSTALLED)]
        self.came = [(0, "asked for it"), (0, "asked for it")]

    def ask(self, settings, method, path, body=None, timeout=10.0):
        if method == "GET" and path == "/v1/ads":
            return self.status()
        if method == "POST":
            self.posted.append(body)
            asked = body.get("partitions", range(2))
            did = self.did.get(body["control"], ["asked for it"] * 2)
            shards = [{"partition": at, "offset": 7, "did": one} for at, one in enumerate(did) if at in asked]
            return {"id": body.get("id", "c-1"), "shards": shards}
        return self.look(path.rpartition("/")[2])

    def status(self):
        self.looks += 1
        runs = self.posted and self.looks <= self.ends[0][0]
        self.shards[0]["jobs"] = [{"id": self.posted[-1]["job"], "percent": 50.0}] if runs else []
        return {"partitions": self.partitions, "shards": self.shards}

    def look(self, name):
        """What came of a record or a job: each shard says so once the status was looked at so often."""
        known = self.came if name.startswith(("c-1", "ask-")) else self.ends
        return {
            "id": name,
            "shards": [
                {"partition": at, "did": one if self.looks > since else None} for at, (since, one) in enumerate(known)
            ],
        }


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "headrace.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def worker(config, monkeypatch):
    made = Worker(load(str(config)))
    for name in ("apply", "control", "jobs"):
        __import__(f"headrace.app.cli.{name}")
        monkeypatch.setattr(sys.modules[f"headrace.app.cli.{name}"], "ask", made.ask)
    monkeypatch.setattr(sys.modules["headrace.app.cli.jobs"], "LOOK_SECONDS", 0.0)
    return made


def test_a_definition_that_all_shards_take_is_followed_by_its_job(headrace, config, worker):
    called = headrace("apply", "ads", "--retrain", "--config", config)
    assert called.status == 0
    assert [one["control"] for one in worker.posted] == ["define", "job"]
    assert called.out.endswith("shard 0: installed v1 in place of v0\nshard 1: installed v1 in place of v0\n")


def test_a_job_that_came_to_nothing_is_asked_for_again(headrace, config, worker):
    for shard in worker.shards:  # the definition is in force, and the champion is still the old one
        shard["definition"]["task"]["model"] = "alma"
    assert headrace("apply", "ads", "--config", config).out == "The settings of ads are in force.\n"
    assert worker.posted == []
    assert headrace("apply", "ads", "--retrain", "--config", config).status == 0
    assert [one["control"] for one in worker.posted] == ["define", "job"]


def test_without_a_change_the_json_is_empty(headrace, config, worker):
    for shard in worker.shards:
        shard["definition"]["task"]["model"] = "alma"
    for more in ([], ["--dry-run"]):
        assert json.loads(headrace("apply", "ads", "--json", "--config", config, *more).out) == {}


NEXT = {"next": {"model": "bayes", "made_of": "bayes"}}
BACK = "it is what the champion is made of, so no challenger begins"


@pytest.mark.parametrize(
    ("champion", "more", "arms", "said"),
    [
        ("logistic", [], {}, "learns beside the champion as the challenger next; headrace promote serves it"),
        ("logistic", [], NEXT, "the challenger next that is there now is dropped for it"),
        ("alma", [], {}, BACK),
        ("alma", [], NEXT, f"{BACK}; the challenger next is dropped"),
        ({"use": "alma", "C": 2.0}, [], NEXT, "headrace promote serves it; the challenger next that is there now"),
        ("logistic", ["--cold"], NEXT, "is saved as a version before; the challenger next is dropped"),
        ("logistic", ["--retrain"], NEXT, "takes the champion's place then; the challenger next learns on meanwhile"),
    ],
)
def test_what_becomes_of_the_challenger_is_said(headrace, config, worker, champion, more, arms, said):
    for shard in worker.shards:
        shard["arms"] = {"champion": {"model": "?", "made_of": champion}} | arms
    out = headrace("apply", "ads", "--dry-run", "--config", config, *more).out
    assert said in out
    assert len(out.splitlines()) == 2
    worker.shards[1]["arms"] = {"champion": {"model": "alma", "made_of": "alma"}}
    worker.shards[0]["arms"] = {"champion": {"model": "logistic", "made_of": "logistic"}}
    out = headrace("apply", "ads", "--dry-run", "--config", config).out
    assert f"serves it; shard 1: {BACK}" in out


def test_another_number_of_partitions_is_refused_with_the_way_out(headrace, config, worker):
    worker.partitions = 4
    called = headrace("apply", "ads", "--config", config)
    assert called.status == 1
    assert "from 4 to 2" in called.err
    assert "replay ads --into NEW" in called.err
    assert worker.posted == []


def test_a_job_is_cancelled_by_one_record_and_a_dry_run_sends_none(headrace, config, worker):
    worker.did["cancel"] = ["gave up j", "nothing: j has ended before"]
    assert headrace("jobs", "ads", "--cancel", "j", "--dry-run", "--config", config).status == 0
    assert worker.posted == []
    called = headrace("jobs", "ads", "--cancel", "j", "--config", config)
    assert (called.status, called.out) == (0, "shard 0: gave up j\nshard 1: nothing: j has ended before\n")
    assert [(one["control"], one["job"]) for one in worker.posted] == [("cancel", "j")]


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_no_job_is_asked_for_where_a_shard_has_refused_the_definition(headrace, config, worker, more):
    worker.did["define"] = ["changed model", "refused: the labels cannot change."]
    called = headrace("apply", "ads", "--retrain", "--config", config, *more)
    assert called.status == 1
    assert [one["control"] for one in worker.posted] == ["define"]
    assert "shard 1 has refused: the labels cannot change." in called.err
    assert "refused: the labels cannot change" in called.out
    assert not more or json.loads(called.out)["shards"][0]["did"] == "changed model"


def test_no_job_is_asked_for_where_a_shard_has_not_come_to_the_definition(headrace, config, worker):
    worker.did["define"] = ["changed model", None]
    called = headrace("apply", "ads", "--retrain", "--config", config)
    assert called.status == 1
    assert [one["control"] for one in worker.posted] == ["define"]
    assert "shard 1 has not come to the definition yet" in called.err
    assert "headrace retrain ads --model alma" in called.err


@pytest.mark.parametrize("first", [3, 9])
def test_a_job_is_waited_for_until_it_has_ended_in_every_shard(headrace, config, worker, first):
    worker.ends = [(first, INSTALLED), (6, INSTALLED)]
    called = headrace("retrain", "ads", "--config", config)
    assert (called.status, called.out) == (0, f"shard 0: {INSTALLED}\nshard 1: {INSTALLED}\n")
    assert worker.looks > max(first, 6)


def test_a_job_that_another_worker_has_given_up_is_a_failure(headrace, config, worker):
    worker.ends[1] = (6, "gave up retrain: it failed 3 times.")
    called = headrace("retrain", "ads", "--config", config, "--json")
    assert called.status == 1
    assert "shard 1 has no new model: gave up retrain: it failed 3 times." in called.err
    assert [shard["did"] for shard in json.loads(called.out)["shards"]] == [INSTALLED, worker.ends[1][1]]


def test_a_shard_that_is_not_asked_is_not_waited_for(headrace, config, worker):
    worker.ends[1] = (10**9, "")
    called = headrace("retrain", "ads", "--partition", "0", "--config", config)
    assert (called.status, called.out) == (0, f"shard 0: {INSTALLED}\n")


def test_a_shard_that_refuses_the_job_late_is_not_waited_for(headrace, config, worker):
    worker.did["job"] = ["asked for it", None]
    worker.came[1], worker.ends[1] = (4, "refused: 8 jobs are under way."), (10**9, "")
    called = headrace("retrain", "ads", "--config", config)
    assert called.status == 1
    assert "shard 1 has no new model: refused: 8 jobs are under way." in called.err


@pytest.fixture
def times(monkeypatch):
    """A log of two shards, with the offset of the first message that is later than a time in milliseconds."""
    later = {
        (0, 1_699_999_999_999): 40,
        (1, 1_699_999_999_999): 7,
        (0, 1_700_000_100_000): 60,
        (1, 1_700_000_100_000): 9,
    }

    class Log:
        def __init__(self, topic, brokers):
            assert topic == "ads.events"

        async def position_at(self, partition, time):
            return later[partition, time]

        async def stop(self):
            pass

    async def check_log(settings, task):
        pass

    places = sys.modules["headrace.app.cli.places"]
    monkeypatch.setattr(places, "KafkaEventLog", Log)
    monkeypatch.setattr(places, "check_log", check_log)


def recipes(worker):
    return {at: one["recipe"] for one in worker.posted for at in one["partitions"]}


def test_a_time_is_another_offset_in_each_shard_of_one_job(headrace, config, worker, times):
    called = headrace("retrain", "ads", "--from", "2023-11-14T22:13:20+00:00", "--passes", "2", "--config", config)
    assert (called.status, called.out) == (0, f"shard 0: {INSTALLED}\nshard 1: {INSTALLED}\n")
    recipe = {"why": "retrain", "passes": 2}
    assert recipes(worker) == {0: recipe | {"start": 40}, 1: recipe | {"start": 7}}
    assert len({(one["job"], one["id"]) for one in worker.posted}) == 1


def test_a_shard_that_refuses_its_part_of_a_job_is_told(headrace, config, worker, times):
    worker.did["job"] = ["asked for it", "refused: no."]
    called = headrace("retrain", "ads", "--from", "1700000000", "--config", config)
    assert called.status == 1
    assert "no." in called.err


def test_a_position_is_the_same_in_each_shard_and_the_log_is_not_asked(headrace, config, worker):
    assert headrace("retrain", "ads", "--from", "50", "--config", config).status == 0
    (posted,) = worker.posted
    assert (posted["recipe"], posted["partitions"]) == ({"why": "retrain", "passes": 1, "start": 50}, [0, 1])


def test_a_warm_start_by_a_range_of_the_log_is_a_job(headrace, config, worker, times):
    called = headrace("warm-start", "ads", "--from", "10", "--to", "1700000100", "--passes", "3", "--config", config)
    assert (called.status, called.out) == (0, f"shard 0: {INSTALLED}\nshard 1: {INSTALLED}\n")
    recipe = {"why": "warm_start", "passes": 3, "start": 10}
    assert recipes(worker) == {0: recipe | {"repeat_to": 60}, 1: recipe | {"repeat_to": 9}}
    assert worker.posted[0]["job"].startswith("warm-start-")


@pytest.mark.parametrize("more", [["--detach"], ["--dry-run"]])
def test_a_job_over_times_can_be_left_alone_or_only_shown(headrace, config, worker, times, more):
    called = headrace("warm-start", "ads", "--from", "1700000000", "--config", config, *more)
    assert called.status == 0
    assert len(worker.posted) == (2 if more == ["--detach"] else 0)
    assert more == ["--detach"] or ('"start": 40' in called.out and '"start": 7' in called.out)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["history.csv", "--from", "5"],
        ["--to", "5", "--label", "y"],
        ["history.csv", "--detach"],
        ["--from", "soon"],
    ],
)
def test_files_and_a_range_of_the_log_are_two_ways(headrace, config, worker, words):
    assert headrace("warm-start", "ads", *words, "--config", config).status == 2
    assert worker.posted == []
