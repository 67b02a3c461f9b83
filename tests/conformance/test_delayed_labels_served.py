"""Questions asked over HTTP and Kafka, labels sent later: the figures that a worker tells equal River's delayed progressive validation."""

import asyncio
import itertools
import json
import uuid

import harness
import pytest
from test_delayed_labels import END, METRICS, MODELS, by_river, events, out_of_order, uneven
from thorough import only_thorough

RUN = uuid.uuid4().hex[:8]
ROWS = 250
DELAYS = {"fixed": 7, "uneven": uneven, "column": "wait"}
"""As a number, a callable, and of each row: the last two let labels come in another order than their questions."""


def named(model, delay="fixed"):
    return f"{model.replace('_', '-')}-{delay}-{RUN}"


@pytest.fixture(scope="module")
def worker(broker, tmp_path_factory):
    toml = "".join(
        f'[tasks.{named(name, delay)}]\nkind = "{kind}"\nmodel = "{name}"\n'
        for name, (kind, _, _) in MODELS.items()
        for delay in DELAYS
    )
    ordered = 'order = "event_time"\nlateness = "31s"\nlate = "quarantine"\n'
    toml += f'[tasks.{named("logistic", "ordered")}]\nkind = "binary"\nmodel = "logistic"\n{ordered}'
    started = harness.Worker(tmp_path_factory.mktemp("delayed"), broker, toml).start()
    try:
        yield started.wait_ready()
    finally:
        started.stop("SIGKILL")


def rows_of(name, delay="fixed"):
    rows = []
    for x, y in itertools.islice(MODELS[name][1](), ROWS):
        more = {"wait": float(uneven(x, y))} if DELAYS[delay] == "wait" else {}
        rows.append((x | more, y))
    return rows


@pytest.mark.parametrize(
    ("name", "delay"),
    [
        pytest.param(name, delay, marks=[] if turn % len(DELAYS) == number else only_thorough)
        for turn, name in enumerate(MODELS)
        for number, delay in enumerate(DELAYS)
    ],
)
def test_what_is_asked_and_told_later_is_scored_as_in_river(worker, broker, name, delay):
    kind, task, rows = MODELS[name][0], named(name, delay), rows_of(name, delay)
    records = list(events(rows, None, DELAYS[delay]))
    half = len(records) // 2
    answers = {}
    for record in records[:half]:  # over HTTP, one after the other
        if "label" in record:
            status, answer = worker.post(f"/v1/{task}/labels", record)
            assert status == 202, answer
            continue
        (at,) = worker_positions(answers)
        status, answer = worker.post(f"/v1/{task}/predict", {**record, "log": True, "min_position": at})
        assert status == 200, answer
        answers[record["id"]] = answer
    lines = [json.dumps(record).encode() for record in records[half:]]
    packed = [b"\n".join(lines[at : at + 7]) for at in range(0, len(lines), 7)]
    asyncio.run(harness.append(broker, f"{task}.events", ((0, value) for value in packed)))

    def shard():
        return worker.get(f"/v1/{task}")["shards"][0]

    harness.wait_for(lambda: shard()["updates"] == len(rows), 60, "all labels learned")
    told = shard()
    expected = by_river(rows, name, None, DELAYS[delay])
    assert {metric: told["arms"]["champion"]["metrics"][metric] for metric in METRICS[kind]} == expected
    assert (told["questions"]["answered"], told["questions"]["waiting"], told["quarantined"]) == (len(rows), 0, 0)
    served = of_served(kind, records, answers)
    assert {name: told["served"][name] for name in served} == served

    logged = [
        json.loads(line)
        for m in asyncio.run(harness.read_all(broker, f"{task}.events"))
        for line in m.value.split(b"\n")
    ]
    served = {record["id"]: record["served"] for record in logged if "served" in record}
    assert served == {
        name: {"arm": "champion", "prediction": answer["prediction"], "position": answer["position"]}
        for name, answer in answers.items()
    }


def of_served(kind, records, answers):
    """By River: what was really told, scored when the label came."""
    scores = {name: metric() for name, metric in METRICS[kind].items() if name != "log_loss"}
    scored = 0
    for record in records:
        said = answers.get(record["id"], {"prediction": None})["prediction"]
        if "label" in record and said is not None:
            scored += 1
            for score in scores.values():
                score.update(record["label"], said)
    figures = {name: score.get() for name, score in scores.items()}
    if kind == "multiclass":  # River adds the F1 of the classes in the order of a set
        figures["f1"] = pytest.approx(figures["f1"], rel=1e-12)
    return {"scored": scored} | figures


def worker_positions(answers):
    """The position after the last question that was logged: so the next one is answered by a model that knows it."""
    logged = [answer["logged"]["offset"] + 1 for answer in answers.values()]
    return (max(logged, default=0),)


def test_records_that_come_out_of_order_are_scored_as_in_river(worker, broker):
    task, rows = named("logistic", "ordered"), rows_of("logistic")
    shuffled = [json.dumps(record).encode() for record in [*out_of_order(rows), END]]
    asyncio.run(harness.append(broker, f"{task}.events", ((0, value) for value in shuffled)))

    def shard():
        return worker.get(f"/v1/{task}")["shards"][0]

    harness.wait_for(lambda: shard()["updates"] == len(rows), 60, "all labels learned")
    told = shard()
    figures = {metric: told["arms"]["champion"]["metrics"][metric] for metric in METRICS["binary"]}
    assert figures == by_river(rows, "logistic", None, uneven)
    assert [told["order"][count] for count in ("late", "ahead", "overflows")] == [0, 0, 0]


def test_a_duplicate_is_refused_by_the_fold_and_a_label_without_an_id_by_the_view(worker, broker):
    task = named("logistic")
    before = worker.get(f"/v1/{task}")["shards"][0]["questions"]["duplicates"]
    question = {"id": "twice", "features": {"x": 1.0}}
    assert worker.post(f"/v1/{task}/predict", question | {"log": "durable"})[0] == 200
    for _ in range(2):
        assert worker.post(f"/v1/{task}/labels", {"id": "twice", "label": True})[0] == 202
    asyncio.run(harness.append(broker, f"{task}.events", [(0, json.dumps(question).encode())]))
    harness.wait_for(
        lambda: worker.get(f"/v1/{task}")["shards"][0]["questions"]["duplicates"] == before + 2, 20, "two duplicates"
    )
    status, problem = worker.post(f"/v1/{task}/labels", {"label": True})
    assert (status, problem["code"]) == (422, "incomplete")
    status, problem = worker.post(f"/v1/{task}/labels", {"id": "a", "features": {}, "label": True})
    assert (status, problem["code"]) == (422, "incomplete")


def test_a_question_that_nobody_waits_for_comes_into_the_log_too(worker, broker):
    task = named("naive_bayes")
    status, answer = worker.post(f"/v1/{task}/predict", {"features": {"x": 1.0}, "log": "async"})
    assert (status, answer["logged"]) == (200, True)

    def is_logged():
        found = asyncio.run(harness.read_all(broker, f"{task}.events"))
        return any(answer["id"].encode() in message.value for message in found)

    harness.wait_for(is_logged, 20, "the question is in the log")
    assert worker.get(f"/v1/{task}")["logging"]["failed"] == 0


def test_requests_over_kafka_are_answered_in_their_order_and_refusals_are_answers(worker, broker):
    task = named("hoeffding_tree")
    x = rows_of("hoeffding_tree")[0][0]
    asked = [
        json.dumps({"id": "r1", "features": x}).encode() + b"\n" + json.dumps({"id": "r2", "features": x, "log": True}).encode(),
        b"{",
        json.dumps({"id": "r3", "features": {"a": None}}).encode(),
        json.dumps({"id": "r4", "features": {}}).encode(),
        b"\n" * 20_000,
        json.dumps({"id": "i" * 300_000, "features": {}}).encode(),
        json.dumps({"id": "r5", "features": {}, "u" * 300_000: 1}).encode(),
        json.dumps({"features": {}, "log": True}).encode(),
    ]  # fmt: skip
    asyncio.run(harness.append(broker, f"{task}.requests", ((0, value) for value in asked)))

    def told():
        found = asyncio.run(harness.read_all(broker, f"{task}.predictions"))
        return [json.loads(line) for message in found for line in message.value.split(b"\n")]

    harness.wait_for(lambda: len(told()) >= 9, 30, "nine answers")
    answers = told()
    assert [(answer["effect"], answer["id"]) for answer in answers] == [
        ("answered", "r1"), ("answered", "r2"), ("refused", None), ("refused", "r3"), ("answered", "r4"),
        ("refused", None), ("refused", None), ("refused", "r5"), ("answered", f"{task}.requests/0/7/0"),
    ]  # fmt: skip
    _, direct = worker.post(f"/v1/{task}/predict", {"features": x})
    assert answers[0]["probabilities"] == direct["probabilities"]
    assert answers[1]["logged"]["offset"] >= 0
    assert [answer["code"] for answer in answers[2:4]] == ["not_json", "feature"]
    assert [answer["code"] for answer in answers[5:8]] == ["too_many", "shape", "shape"]
    assert max(len(json.dumps(answer)) for answer in answers) < 3_000
