"""The command line shows a worker's answers and refusals. The worker is a server with set answers."""

import contextlib
import http.server
import importlib
import json
import threading

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request

from headrace.app.doors import Doors
from headrace.app.errors import Problem, ProblemDocument
from headrace.app.keys import ApiKeys, parse_keys
from headrace.tables.kafka.partitioner import partition_of

KEYS = ApiKeys(parse_keys(f"phone predict {'0' * 64}", "keys"))
KEY_OF = {partition_of(f"k{number}", 2): f"k{number}" for number in range(20)}


@contextlib.contextmanager
def answering(folder, answers):
    """Start a worker that gives these answers, (status, body) by method and path. Yield its settings and the requests that it got."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(f"{self.command} {self.path}")
            status, body = answers[asked[-1]]
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, *_arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        config = folder / "headrace.toml"
        config.write_text(
            f'[worker]\nweb = "127.0.0.1:{server.server_port}"\n[tasks.ads]\nkind = "binary"\npartitions = 2\n'
        )
        try:
            yield config, asked
        finally:
            server.shutdown()
            thread.join()


def refused(headers):
    """Return the refusal of a worker with keys for a request with these headers."""
    with pytest.raises(Problem) as caught:
        Doors(KEYS, None, 1.0, ())._identify(make_mocked_request("GET", "/v1/ads", headers=headers).headers)
    problem = caught.value
    document = ProblemDocument(problem.status, problem.code, problem.detail, problem.remedy)
    return problem.status, msgspec.to_builtins(document)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "no key was sent. Set HEADRACE_KEY."),
        ({"X-API-Key": "guess"}, "Set HEADRACE_KEY to a key that the worker knows (a worker reads its keys when it starts)."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [["status"], ["predict", "ads", "a=1"], ["doctor"]])
def test_without_a_key_that_the_worker_knows_it_names_the_variable(
    headrace, tmp_path, monkeypatch, command, headers, reason
):
    doctor = importlib.import_module("headrace.app.cli.doctor")
    monkeypatch.setattr(doctor, "CHECKS", [doctor.check_worker])
    monkeypatch.setenv("COLUMNS", "200")
    refusal = refused(headers)
    with answering(tmp_path, {"GET /v1/ads": refusal, "POST /v1/ads/predict": refusal}) as (config, _):
        called = headrace(*command, "--config", config)
    assert called.status == (0 if command == ["doctor"] else 1)  # no worker has to run for a doctor
    assert reason in " ".join((called.out + called.err).split())
    assert "Bearer" not in called.out + called.err


def answer(staleness):
    return 200, {"prediction": True, "probabilities": None, "position": 7, "staleness_s": staleness}


def status(*states):
    return 200, {"shards": [{"partition": number, "state": state} for number, state in enumerate(states)]}


@pytest.mark.parametrize(
    ("states", "options", "stopped"),
    [
        (["stopped", "live"], [], [0]),
        (["stopped", "stopped"], [], [0, 1]),
        (["stopped", "live"], ["--key", KEY_OF[0]], [0]),
        (["stopped", "live"], ["--key", KEY_OF[1]], []),
        (["replica", "live"], [], []),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]])
def test_an_old_answer_of_a_stopped_shard_says_so(headrace, tmp_path, states, options, stopped, form):
    answers = {"POST /v1/ads/predict": answer(213.75), "GET /v1/ads": status(*states)}
    with answering(tmp_path, answers) as (config, _):
        called = headrace("predict", "ads", "a=1", "--config", config, *options, *form)
    assert called.status == 0
    assert "213.75" in called.out
    assert called.err.splitlines() == [f"shard {number} is stopped; see headrace status ads" for number in stopped]


def test_a_fresh_answer_costs_one_request(headrace, tmp_path):
    with answering(tmp_path, {"POST /v1/ads/predict": answer(9.5)}) as (config, asked):
        called = headrace("predict", "ads", "a=1", "--config", config)
    assert (called.status, called.err) == (0, "")
    assert asked == ["POST /v1/ads/predict"]


def test_an_old_answer_is_shown_where_the_worker_does_not_tell_its_state(headrace, tmp_path):
    answers = {"POST /v1/ads/predict": answer(20.0), "GET /v1/ads": (503, {"detail": "not now."})}
    with answering(tmp_path, answers) as (config, _):
        called = headrace("predict", "ads", "a=1", "--config", config)
    assert (called.status, called.err) == (0, "")
    assert "at most 20 s old" in called.out
