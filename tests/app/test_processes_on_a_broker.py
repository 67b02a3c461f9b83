"""`headrace worker --processes 2`: both shards are served over one port, a killed process comes back, and all end together."""

import json
import os
import signal
import time
import uuid

import harness
import httpx
import pytest

from headrace.tables.kafka.partitioner import partition_of

KEYS = {partition_of(f"k{number}", 2): f"k{number}" for number in range(20)}


class Processes(harness.Worker):
    """A worker of two processes."""

    def __init__(self, *parts, **options):
        super().__init__(*parts, **options)
        old, self.port = self.port, harness.steady_port(3)
        self.address = f"http://127.0.0.1:{self.port}"
        self.config.write_text(self.config.read_text().replace(f":{old}", f":{self.port}"))

    def arguments(self):
        return [*super().arguments(), "--processes", "2"]

    def own(self, number, path):
        """The status and the body of an answer of one process."""
        answer = harness.HTTP.get(f"http://127.0.0.1:{self.port + number}{path}", timeout=10)
        return answer.status_code, answer

    def pid(self, number):
        return int((self.folder / f"data/process-{number}/worker.pid").read_text())

    def lines(self):
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    name = f"procs-{uuid.uuid4().hex[:8]}"
    toml = f'[tasks.{name}]\nkind = "binary"\npartitions = 2\n'
    worker = Processes(tmp_path_factory.mktemp("procs"), broker, toml, instance=name)
    worker.task = name
    try:
        worker.start().wait_ready()
        harness.wait_for(lambda: [len(owned(worker, number)) for number in (1, 2)] == [1, 1], 60, "a shard each")
        yield worker
    finally:
        worker.stop("SIGKILL")


def owned(worker, number):
    _, answer = worker.own(number, f"/v1/{worker.task}")
    return [shard["partition"] for shard in answer.json()["shards"] if shard["state"] == "live"]


def ask(worker, key, query=""):
    return worker.post(f"/v1/{worker.task}/predict{query}", {"features": {"x": 1.0}, "key": key})


def test_both_shards_are_learned_and_served_over_one_port(worker):
    for key in KEYS.values():
        samples = [{"features": {"x": n - 10}, "label": n > 10, "key": key} for n in range(20)]
        status, appended = worker.post(f"/v1/{worker.task}/samples", samples)
        assert status == 202, appended
    for key in list(KEYS.values()) * 10:  # each question has a connection of its own: both processes get some
        status, answer = ask(worker, key, "?fresh=true")
        assert (status, answer["arm"]) == (200, "champion"), answer


def test_every_process_has_a_place_of_its_own_in_the_group(worker):
    assert sorted(owned(worker, 1) + owned(worker, 2)) == [0, 1]
    assert worker.pid(1) != worker.pid(2)


def test_the_shared_port_is_served_by_both(worker):
    asked = dict.fromkeys((1, 2), 0)

    def answered(number):
        _, answer = worker.own(number, "/metrics")
        lines = answer.text.splitlines()
        return sum(float(line.split()[1]) for line in lines if line.startswith("headrace_inference_latency_seconds_c"))

    before = {number: answered(number) for number in asked}
    for _ in range(40):
        ask(worker, KEYS[0])
    assert all(answered(number) > before[number] for number in asked)


def test_metrics_are_refused_on_the_shared_port_and_given_by_each_process(worker):
    answer = harness.HTTP.get(f"{worker.address}/metrics")
    assert (answer.status_code, answer.json()["code"]) == (421, "shared_port")
    for number in (1, 2):
        assert f"http://127.0.0.1:{worker.port + number}" in answer.json()["remedy"]
        status, own = worker.own(number, "/metrics")
        assert status == 200
        assert "headrace_updates_total" in own.text


@pytest.mark.parametrize("path", ["/", "/tasks/{task}", "/openapi.json", "/v1", "/v1/{task}", "/v1/{task}/versions"])
def test_the_page_and_the_views_answer_alike_whichever_process_answers(worker, path):
    for _ in range(6):
        assert harness.HTTP.get(worker.address + path.format(task=worker.task)).status_code == 200


def test_every_line_of_the_log_tells_its_process(worker):
    started = [line for line in worker.lines() if line["event"].startswith("ready at")]
    assert sorted(line["process"] for line in started) == [1, 2]


def test_readyz_of_the_shared_port_asks_both(worker):
    assert worker.get("/readyz") == {"status": "ready"}
    os.kill(worker.pid(2), signal.SIGSTOP)
    try:
        assert worker.own(1, "/readyz")[0] == 200

        def refused():
            try:
                answer = harness.HTTP.get(f"{worker.address}/readyz", timeout=3)
            except httpx.TimeoutException:  # the stopped process got the connection
                return False
            return answer.status_code == 503 and answer.json()["code"] == "process"

        harness.wait_for(refused, 30, "/readyz tells that a process does not answer")
    finally:
        os.kill(worker.pid(2), signal.SIGCONT)
    harness.wait_for(lambda: worker.get("/readyz") is not None, 60, "ready again")


def test_a_killed_process_is_started_again_while_the_other_answers(worker):
    before = worker.pid(1)
    os.kill(before, signal.SIGKILL)
    answered, until = 0, time.monotonic() + 90
    while not (worker.pid(1) != before and worker.get("/readyz") and owned(worker, 1) and owned(worker, 2)):
        assert time.monotonic() < until, worker.log()[-2000:]
        for key in KEYS.values():
            try:
                status, answer = ask(worker, key)
            except httpx.TransportError:  # the connection was in the queue of the killed process
                continue
            assert status == 200, answer
            answered += 1
        time.sleep(0.02)
    assert answered > 20
    (death,) = [line for line in worker.lines() if line["event"] == "a process has died and is started again"]
    assert (death["process"], death["how"]) == (1, "SIGKILL")


def test_sigterm_to_the_parent_ends_all_in_order(worker):
    pids = [worker.pid(number) for number in (1, 2)]
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(40) == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    stopped = [line.get("process") for line in worker.lines() if line["event"] == "stopped"]
    assert sorted(stopped, key=str) == [1, 2, None]


def test_the_processes_end_when_the_parent_is_killed(worker):
    worker.start().wait_ready()
    pids = [worker.pid(number) for number in (1, 2)]
    worker.process.send_signal(signal.SIGKILL)

    def gone():
        alive = 0
        for pid in pids:
            try:
                os.kill(pid, 0)
                alive += 1
            except ProcessLookupError:
                pass
        return not alive

    harness.wait_for(gone, 40, "both have ended")


def test_a_process_that_always_dies_at_its_start_ends_the_whole_with_a_plain_error(broker, tmp_path):
    worker = Processes(tmp_path, broker, '[tasks.p]\nkind = "binary"\nmodel = "dying:make"\n')
    (tmp_path / "dying.py").write_text("import os\nos._exit(7)\n")
    assert worker.start().process.wait(120) == 1
    (last,) = [line for line in worker.lines() if "died too often" in line["event"]]
    assert last["how"] == "status 7"


def test_wrong_settings_end_the_whole_at_once(broker, tmp_path):
    worker = Processes(tmp_path, broker, '[tasks.p]\nkind = "binary"\nmodel = "nowhere:make"\n')
    assert worker.start().process.wait(60) == 1
    assert "nowhere" in worker.log()
    assert "settings are wrong" in worker.log()


@pytest.mark.parametrize("number", ["0", "x", "1025"])
def test_a_wrong_number_of_processes_is_a_wrong_usage(broker, tmp_path, number):
    worker = harness.Worker(tmp_path, broker, '[tasks.p]\nkind = "binary"\n')
    answer = worker.run("worker", "--processes", number)
    assert answer.returncode == 2
    assert "--processes" in answer.stderr
