"""Every answer names its request, by the id that the request had or by a new one; so do problem documents and the log."""

import asyncio
import json

import harness
import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from served import VIEWS

from headrace.app.errors import answer_problems
from headrace.app.logs import set_up_logging
from headrace.app.request_id import HEADER, current, identify


def ask(worker, path, **headers):
    return harness.HTTP.get(worker.address + path, headers=headers, timeout=10)


def test_an_id_that_is_shown_is_given_back(served):
    assert ask(served, f"/v1/{VIEWS}", **{HEADER: "order-7/a.b:c"}).headers[HEADER] == "order-7/a.b:c"


@pytest.mark.parametrize("shown", [None, "", "two words", "x" * 129, 'a"b', "é"])
def test_another_id_is_made_where_there_is_none_of_the_form(served, shown):
    headers = {} if shown is None else {HEADER: shown.encode()}
    made = [ask(served, "/healthz", **headers).headers[HEADER] for _ in range(2)]
    assert made[0] != made[1]
    assert [len(one) for one in made] == [16, 16]


def test_a_problem_document_has_the_id(served):
    for path in ("/v1/nobody", "/nowhere"):
        answer = ask(served, path, **{HEADER: "lost"})
        assert answer.status_code == 404
        assert answer.json()["request_id"] == answer.headers[HEADER] == "lost"


def test_the_log_has_the_id_while_the_request_is_answered_and_no_longer(tmp_path):
    async def go():
        going_on = []

        async def outlive():
            before = current()
            await asyncio.sleep(0.05)
            structlog.get_logger().warning("later")
            return before, current()

        async def fails(_):
            going_on.append(asyncio.create_task(outlive()))
            await asyncio.sleep(0)
            raise RuntimeError("a defect")

        async def handler(request):
            return await answer_problems(request, fails)

        answer = await identify(make_mocked_request("GET", "/x", headers={HEADER: "one"}), handler)
        assert isinstance(answer, web.Response)
        assert await going_on[0] == ("one", None)
        assert current() is None
        return json.loads(answer.body)

    with (tmp_path / "log").open("w") as stream:
        writer = set_up_logging("info", stream)
        document = asyncio.run(go())
        writer.drain()
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert document["request_id"] == "one"
    assert [(line["event"], line.get("request_id")) for line in lines] == [("a request failed", "one"), ("later", None)]
