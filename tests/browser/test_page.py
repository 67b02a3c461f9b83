"""The page in a real browser, against a real worker, as its user sees it."""

import hashlib
from pathlib import Path

import harness
import pytest
from under_prefix import under_prefix
from unsteady import samples

AXE = Path(__file__).parent / "axe" / "axe.js"


def wait_for(page, script, argument=None):
    page.wait_for_function(script, arg=argument)


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
    page.click("[aria-label^='Roll back to']")
    page.click("#go-back")
    wait_for(page, "() => document.getElementById('panel-title').textContent === 'Not rolled back'")
    assert "role admin" in page.inner_text("#panel-body")
    page.click("#panel-close")
    page.click("#forget")
    page.wait_for_selector("#ask")


def shown(page, url):
    page.wait_for_selector("#feed.live")
    if "/tasks/" in url:
        page.wait_for_selector("#arms tbody th")
        page.wait_for_selector("#calibration svg")


def serious_faults(page):
    """What axe finds. A script element would break the page's policy, so axe comes in by the debugger."""
    page.evaluate(AXE.read_text() + "; undefined")
    found = page.evaluate("axe.run({resultTypes: ['violations']})")["violations"]
    return [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("width", "scheme", "is_checked"),
    [(1440, "light", True), (390, "light", False), (1440, "dark", False), (390, "dark", True)],
)
def test_the_page_fits_and_axe_finds_no_serious_fault(learning, visit, shots, width, scheme, is_checked):
    """Axe is slow: it sees each width once, and each scheme once."""
    for name, url in (("tasks", learning.worker.address), ("task", learning.url)):
        page = visit(url, width, scheme)
        shown(page, url)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.screenshot(path=shots / f"{name}-{width}-{scheme}.png", full_page=True)
        if is_checked:
            assert serious_faults(page) == []


def test_axe_finds_a_fault_that_is_put_in(learning, visit):
    page = visit(learning.worker.address)
    page.evaluate("document.querySelector('#main').append(document.createElement('select'))")
    assert [fault for fault, _ in serious_faults(page)] == ["select-name"]


def test_axe_is_as_it_was_published():
    digest = hashlib.sha256(AXE.read_bytes()).hexdigest()
    assert digest == "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
