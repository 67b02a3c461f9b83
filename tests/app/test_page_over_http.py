"""The page over HTTP, without a browser: its size, its headers, what it says to whom, and its live feed."""

import asyncio
import hashlib
import json
import re
from urllib.parse import urljoin

import harness
import httpx
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from served import VIEWS

from headrace.app.errors import answer_problems
from headrace.app.page import feed
from headrace.app.page.assets import Assets
from headrace.app.page.feed import Feed, Feeds
from headrace.app.page.live import Live
from headrace.app.page.render import Shell, render_task
from headrace.app.page.summary import TaskSummary

UPLOT = {
    "uplot.js": "68b885253b209b8d7ab39af600d6f4d8570e92b2848cb841414041e9a3fe37c9",
}
FOLDER = harness.ROOT / "app" / "page"


def test_all_that_a_browser_loads_for_a_live_task_is_under_120_000_bytes(served):
    """The HTML with its figures, styles, and scripts with those that they import, as they are sent, without compression."""
    page = f"{served.address}/tasks/{VIEWS}"
    sizes, wanted = {}, [page]
    while wanted:
        url = wanted.pop()
        if url in sizes:
            continue
        answer = httpx.get(url, headers={"Accept-Encoding": "identity"})
        assert answer.status_code == 200
        sizes[url] = len(answer.content)
        found = re.findall(r'(?:src|stylesheet" href|from)(?:=| )"([^"]+)"', answer.text)
        wanted += [urljoin(url, one) for one in found if one.endswith((".js", ".css"))]
    names = {url.rpartition("/")[2] for url in sizes}
    assert names == {VIEWS, *(file.name for file in FOLDER.glob("static/*.[jc]s*"))} - {"tasks.js"}
    assert sum(sizes.values()) < 120_000


def test_uplot_is_as_it_was_published_and_has_its_licence():
    for name, digest in UPLOT.items():
        assert hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest() == digest, name
    assert "MIT License" in (FOLDER / "static" / "uplot.LICENSE").read_text()


def test_scripts_are_sent_without_comments_and_with_as_many_lines():
    assets = Assets()
    for file in FOLDER.glob("static/*.js"):
        source, sent = file.read_bytes(), assets.files[file.name].body
        if file.name in UPLOT:
            assert sent == source
            continue
        lines = [(line, got) for line, got in zip(source.split(b"\n"), sent.split(b"\n"), strict=True) if line != got]
        assert lines, file.name
        for line, got in lines:
            assert got == b""
            assert line.lstrip().startswith(b"//") or (line.lstrip().startswith(b"/**") and line.endswith(b"*/")), line


def test_no_part_of_the_page_names_another_server_or_has_a_style_or_script_of_its_own():
    for file in [*FOLDER.glob("templates/*"), *FOLDER.glob("static/*.*")]:
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        if file.name.startswith("uplot"):
            continue
        assert "http" + "s://" not in text, file.name
        assert "http://" not in text, file.name
        if file.suffix == ".html":
            assert not [word for word in ("style=", "<style", "onclick=", "javascript:") if word in text], file.name


def test_the_html_has_a_policy_and_is_kept_by_no_cache(served):
    for path in ("/", f"/tasks/{VIEWS}"):
        answer = httpx.get(served.address + path)
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert answer.headers["Cache-Control"] == "no-store"
        assert VIEWS in answer.text


def test_a_file_may_be_kept_for_good_under_its_own_digest_alone(served):
    digest = Assets().digest
    own = httpx.get(f"{served.address}/page/{digest}/page.css")
    assert (own.status_code, own.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in own.headers["Cache-Control"]
    known = {"If-None-Match": own.headers["ETag"]}
    assert httpx.get(f"{served.address}/page/{digest}/page.css", headers=known).status_code == 304
    assert httpx.get(f"{served.address}/page/0/page.css").headers["Cache-Control"] == "no-store"
    missing = httpx.get(f"{served.address}/page/{digest}/..%2Fassets.py")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


def test_an_unknown_task_has_no_page(served):
    answer = httpx.get(f"{served.address}/tasks/nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_task")


def test_where_keys_are_asked_for_the_html_is_the_same_for_every_task():
    shell = Shell("../", "0", True)
    assert render_task(shell, "known", None).replace("known", "other") == render_task(shell, "other", None)


def test_what_is_shown_is_escaped():
    summary = TaskSummary("a", "binary", "<b>model", 1, {"live": 1}, 0, 0, None, 0, 0, "accuracy", None)
    html = render_task(Shell("../", "0", False), '"><script>', summary)
    assert "<script>" not in html
    assert "<b>model" not in html


def test_the_list_of_tasks_tells_the_same_as_their_status(served):
    summaries = {one["task"]: one for one in served.get("/v1")["tasks"]}
    status = served.get(f"/v1/{VIEWS}")
    assert summaries[VIEWS]["partitions"] == status["partitions"]
    assert summaries[VIEWS]["updates"] == sum(shard["updates"] for shard in status["shards"])
    assert summaries[VIEWS]["shards"] == {"live": 2}


def test_the_last_answers_are_listed_newest_first(served):
    for name in ("first", "second"):
        assert served.post(f"/v1/{VIEWS}/predict", {"features": {"x": 1.0}, "id": name})[0] == 200
    answers = served.get(f"/v1/{VIEWS}/predictions")["answers"]
    assert [one["answer"]["id"] for one in answers[:2]] == ["second", "first"]


def test_the_feed_sends_events_of_the_declared_form(served):
    with httpx.stream("GET", f"{served.address}/tasks/{VIEWS}/live") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        lines = (line for line in answer.iter_lines() if line)
        events = [msgspec.json.decode(next(lines).removeprefix("data: "), type=Live) for _ in range(2)]
    assert [shard.partition for shard in events[0].shards] == [0, 1]
    assert events[1].time > events[0].time


def test_a_worker_with_a_listener_ends_in_order(broker, tmp_path):
    worker = harness.Worker(tmp_path, broker, f'[tasks.{VIEWS}-ends]\nkind = "binary"\n').start()
    try:
        worker.wait_ready()
        with httpx.stream("GET", f"{worker.address}/tasks/{VIEWS}-ends/live", timeout=30) as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("data: ")
            worker.signal("SIGTERM")
            list(lines)  # a stream that is cut off, and not ended, raises
    finally:
        worker.stop()
    assert worker.failures() == []


async def counted():
    """A feed, and a list that grows with each reading."""
    read = []

    async def tell():
        read.append(None)
        return b"%d" % len(read)

    return Feed(tell, seconds=0.001), read


def test_nothing_is_read_while_nobody_listens():
    async def run():
        feed, read = await counted()
        events = feed.listen()
        told = [await anext(events) for _ in range(3)]
        await events.aclose()
        assert feed.is_idle
        before = len(read)
        await asyncio.sleep(0.02)
        return told, len(read) - before

    assert asyncio.run(run()) == ([b"1", b"2", b"3"], 0)


def test_all_listeners_share_one_reading():
    async def run():
        feed, _ = await counted()
        one, other = feed.listen(), feed.listen()
        await anext(one), await anext(other)
        return await asyncio.gather(anext(one), anext(other))

    first, second = asyncio.run(run())
    assert first == second


def test_a_reading_that_fails_is_raised_and_the_next_listener_begins_again():
    async def run():
        outcomes = iter([b"a", ValueError("broken"), b"b"])

        async def tell():
            outcome = next(outcomes)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        feed = Feed(tell, seconds=0.001)
        events = feed.listen()
        assert await anext(events) == b"a"
        with pytest.raises(ValueError, match="broken"):
            await anext(events)
        return await anext(feed.listen())

    assert asyncio.run(run()) == b"b"


def test_there_is_a_limit_of_listeners(monkeypatch):
    monkeypatch.setattr(feed, "LISTENERS_MAX", 1)

    async def run():
        feeds = Feeds(seconds=0.001)

        async def tell():
            return b"x"

        async def live(request):
            return await feeds.send(request, "ads", tell)

        app = web.Application(middlewares=[answer_problems])
        app.router.add_get("/live", live)
        app.on_shutdown.append(feeds.stop)
        async with TestClient(TestServer(app)) as client, client.get("/live") as first:
            assert await first.content.readuntil(b"\n\n") == b"data: x\n\n"
            async with client.get("/live") as second:
                return second.status, json.loads(await second.text())["code"]

    assert asyncio.run(run()) == (503, "listeners")
