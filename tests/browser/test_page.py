"""The page in a real browser, against a real worker, as its user sees it."""

import hashlib
import json
import subprocess
import sys

import harness
import pytest
from looks import AXE, LOOKS, serious_faults, wait_for
from under_prefix import under_prefix
from unsteady import samples


def number_in(page, selector):
    return int(page.inner_text(selector).replace(",", ""))


def test_the_page_of_a_live_task_follows_it_without_a_reload(learning, visit):
    page = visit(learning.url)
    page.wait_for_selector("#feed.live")
    before = number_in(page, "#t-updates")
    top = page.locator("#h-arms").bounding_box()["y"]
    page.evaluate("window.kept = true")
    learning.client.samples(learning.task, list(samples(100, 2)))
    wait_for(
        page, "n => Number(document.getElementById('t-updates').textContent.replaceAll(',', '')) === n", before + 100
    )
    assert page.evaluate("window.kept") is True
    assert page.locator("#chart canvas").count() == 1
    assert page.locator("#h-arms").bounding_box()["y"] == top


def test_the_list_of_tasks_leads_to_each(learning, visit):
    page = visit(learning.worker.address)
    page.click(f"text={learning.task}")
    page.wait_for_selector("#feed.live")
    assert page.inner_text("h1") == learning.task


def test_a_drift_that_happens_is_shown_with_its_evidence(learning, visit):
    page = visit(learning.url)
    page.wait_for_selector("#feed.live")
    shown = page.locator("[data-lane=Drift] button").count()
    learning.client.samples(learning.task, list(samples(400, 3, flipped=True)))
    harness.wait_for(lambda: learning.client.signals(learning.task), 30, "a signal")
    wait_for(page, "n => document.querySelectorAll('[data-lane=Drift] button').length > n", shown)
    page.locator("[data-lane=Drift] button").last.focus()
    page.keyboard.press("Enter")
    assert "Mean before" in page.inner_text("#panel-body")
    assert "evidence" in page.inner_text("#panel")
    page.keyboard.press("Escape")
    assert not page.is_visible("#panel")


def test_the_button_goes_back_to_a_version_after_a_question(learning, visit):
    page = visit(learning.url)
    version = learning.worker.get(f"/v1/{learning.task}/versions")["versions"][0]["id"]
    page.click(f"[aria-label='Roll back to {version}']")
    assert f"becomes {version}" in page.inner_text("#panel-body")
    assert learning.client.status(learning.task).shards[0].arms["champion"].version != version
    page.click("#go-back")
    wait_for(page, "() => document.getElementById('panel-title').textContent === 'Rolled back'")
    assert learning.client.status(learning.task).shards[0].arms["champion"].version == version
    page.click("#panel-close")
    page.wait_for_selector(f"#versions tr:has(button[data-key='{version}']) .pill:text-is('in use')")


def test_it_tells_of_keys_in_another_shard_and_of_a_renamed_feature(learning, visit):
    task = f"{learning.task}-sent"
    page = visit(f"{learning.worker.address}/tasks/{task}")
    page.wait_for_selector("#feed.live")
    assert page.inner_text("#senders") == ""
    for name in ("seconds", "seconds", "seconds", "seconds", "secs"):
        row = json.dumps({"features": {name: 1.0}, "label": True}).encode()
        send_to_shard_0(learning, task, row, 150)
    harness.wait_for(lambda: learning.client.status(task).shards[0].updates == 750, 30, "all are learned")
    page.reload()
    page.wait_for_selector("#senders li")
    said = page.inner_text("#senders")
    assert "Feature 'secs' is new since" in said
    assert "when 'seconds' ceased to come." in said
    assert "keys lie in another shard than theirs: labels may miss their questions. See headrace doctor." in said


def send_to_shard_0(learning, task, row, count):
    """Append records to shard 0 whatever their keys, in a process of its own: while Playwright runs, no event loop can here."""
    code = """
import asyncio, sys
from headrace.tables.kafka.producer import producing

async def sent(broker, topic, row, count):
    async with producing(broker) as producer:
        for number in range(int(count)):
            await producer.send(topic, row.encode(), key=b"k%d" % (number % 20), partition=0)

asyncio.run(sent(*sys.argv[1:]))
"""
    told = [learning.broker, f"{task}.events", row.decode(), str(count)]
    subprocess.run([sys.executable, "-c", code, *told], check=True)


def test_a_prediction_is_found_by_its_id(learning, visit):
    name = "<b>q&1</b>"
    asked = {"features": {"x": 1.0, "bias": 1.0}, "id": name}
    assert learning.worker.post(f"/v1/{learning.task}/predict", asked)[0] == 200
    page = visit(learning.url, expected=["404 (Not Found)"])  # for the id that nobody has
    page.wait_for_selector("#predictions button")
    page.fill("#find-id", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("#panel[open]")
    assert page.inner_text("#panel-title") == f"Prediction {name}"
    assert "true" in page.inner_text("#panel-body")
    page.keyboard.press("Escape")
    page.fill("#find-id", "nobody's")
    page.keyboard.press("Enter")
    wait_for(page, "() => document.getElementById('panel-title').textContent === 'Not found'")
    assert f"headrace explain {learning.task} nobody's" in page.inner_text("#panel-body")


def test_it_works_under_a_prefix(learning, visit):
    with under_prefix(learning.worker.address, "/headrace/") as address:
        page = visit(f"{address}/headrace/")
        page.click(f"text={learning.task}")
        page.wait_for_selector("#feed.live")
        wait_for(page, "() => document.querySelectorAll('#versions button').length > 0")
        page.click(".mark")
        page.wait_for_selector("#tasks a")
        assert page.url == f"{address}/headrace/"


def test_where_keys_are_set_it_asks_for_one_and_shows_nothing_before(guarded, visit):
    page = visit(guarded.url, expected=("401", "403"))
    page.wait_for_selector("#ask")
    assert not page.is_visible("#h-arms")
    page.fill("#key", "guess")
    page.keyboard.press("Enter")
    wait_for(page, "() => document.getElementById('ask-why').textContent.startsWith('That key was refused')")
    page.fill("#key", guarded.secrets["predict"])
    page.keyboard.press("Enter")
    page.wait_for_selector("#feed.live")
    assert page.is_visible("#h-arms")
    assert page.evaluate("[localStorage.length, document.cookie, sessionStorage.length]") == [0, "", 1]
    assert page.url == guarded.url
    page.click("[aria-label^='Roll back to']")
    page.click("#go-back")
    wait_for(page, "() => document.getElementById('panel-title').textContent === 'Not rolled back'")
    assert "role admin" in page.inner_text("#panel-body")
    page.click("#panel-close")
    page.click("#forget")
    page.wait_for_selector("#ask")


@pytest.mark.parametrize("part", ["", "-sorts", "-sizes", "-empty", None])
def test_the_page_fits_and_axe_finds_no_serious_fault(learning, visit, shots, part):
    """The browser is made narrow, dark and wide while it shows the page, as a user does it."""
    page = visit(learning.worker.address if part is None else learning.url + part)
    page.wait_for_selector("#feed.live")
    if part is not None:
        page.wait_for_selector("#arms tbody tr")
    for width, scheme, is_checked in LOOKS if part in ("", None) else LOOKS[::2]:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        wait_for(page, "width => document.documentElement.scrollWidth <= width", width)  # charts are drawn anew
        page.screenshot(
            path=shots / f"{'tasks' if part is None else 'task' + part}-{width}-{scheme}.png", full_page=True
        )
        if is_checked and part in ("", None):
            assert serious_faults(page) == []


def test_the_evidence_is_there_for_the_time_before_the_page_was_opened(learning, visit):
    moments = {point.time for point in learning.client.metrics(learning.task)}
    assert len(moments) > 1
    page = visit(learning.url)
    page.wait_for_selector("#feed.live")
    page.click("text=Table of points and events")
    wait_for(page, "n => document.querySelectorAll('#weights tbody tr').length >= n", len(moments))
    assert {"evidence", "below_baseline, majority"} <= set(page.locator("#weights thead th").all_inner_texts())
    bounded = {point.time for point in learning.client.metrics(learning.task) if point.experiments}
    assert len(bounded) > 1, "right after a roll back there are none"
    drawn = "document.querySelector('#experiments polyline')?.getAttribute('points').split(' ').length"
    wait_for(page, f"n => {drawn} >= n", len(bounded))  # it is read every five seconds


def test_a_multiclass_task_shows_which_labels_are_confused_and_the_rare_ones_as_one(learning, visit):
    page = visit(f"{learning.url}-sorts")
    page.wait_for_selector("#confusion tbody tr")
    labels = page.locator("#confusion tbody th").all_inner_texts()
    assert (labels[0], labels[-1], len(labels)) == ("<script>0</script>", "other", 9)
    assert not page.is_visible("#s-calibration")
    assert not page.is_visible("#s-errors")
    counts = {}
    for pair in learning.client.status(f"{learning.task}-sorts").overall.arms["champion"].confusion:
        counts[pair.label] = counts.get(pair.label, 0) + pair.count
    shown = page.locator("#confusion tbody tr td:nth-child(2)").all_inner_texts()
    assert [int(one) for one in shown[:-1]] == [counts[label] for label in labels[:-1]]
    assert int(shown[-1]) == sum(counts.values()) - sum(counts[label] for label in labels[:-1])


def test_a_regression_shows_how_far_predictions_were_too_high_and_too_low(learning, visit):
    page = visit(f"{learning.url}-sizes")
    page.wait_for_selector("#errors tbody tr")
    arm, over, _, under, bias = page.locator("#errors tbody tr:first-child > *").all_inner_texts()
    mae = learning.client.status(f"{learning.task}-sizes").overall.arms["champion"].metrics["mae"]
    assert arm == "champion"
    assert float(over) + float(under) == pytest.approx(mae, rel=1e-3)
    assert float(over) - float(under) == pytest.approx(float(bias), abs=2e-3 * mae)


def test_where_nothing_is_scored_a_sentence_stands_in_place_of_the_choices(learning, visit):
    page = visit(f"{learning.url}-empty")
    page.wait_for_selector("#t-waiting:text-matches('[0-9]')")  # the live feed has come
    assert page.inner_text("#no-metric") == "Metrics to choose from come with the first scored labels."
    assert not page.is_visible("#metric")
    page = visit(learning.url)
    page.wait_for_selector("#metric")
    assert "Accuracy" in page.locator("#metric option").all_inner_texts()
    assert not page.is_visible("#no-metric")


def test_axe_finds_a_fault_that_is_put_in(learning, visit):
    page = visit(learning.worker.address)
    page.evaluate("document.querySelector('#main').append(document.createElement('select'))")
    assert [fault for fault, _ in serious_faults(page)] == ["select-name"]


def test_axe_is_as_it_was_published():
    digest = hashlib.sha256(AXE.read_bytes()).hexdigest()
    assert digest == "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def test_a_worker_that_is_killed_leaves_the_page_stale_until_it_is_back(learning, visit):
    """This comes last: it kills the worker."""
    page = visit(learning.url, expected=["ERR_", "404", "503"])  # while the worker is away, and while it starts
    page.wait_for_selector("#feed.live")
    before = number_in(page, "#t-updates")
    learning.worker.stop("SIGKILL")
    wait_for(page, "() => document.getElementById('feed').textContent.startsWith('Stale since ')")
    assert number_in(page, "#t-updates") == before
    learning.worker.start().wait_ready()
    page.wait_for_selector("#feed.live")
    wait_for(page, "n => document.getElementById('t-updates').textContent.replaceAll(',', '') === String(n)", before)
