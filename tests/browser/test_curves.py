"""The curves of label delays and of drifting features, in a real browser, against a real worker."""

import uuid
from itertools import pairwise

import pytest
from delayed import DRIFTING, STEADY, delayed, wide
from looks import LOOKS, serious_faults, wait_for

HIGHEST = "6.0"
"""Where the threshold is drawn."""


@pytest.fixture(scope="module")
def late(broker, tmp_path_factory):
    """A task whose labels come late, and later from its middle on, when two of its features drift."""
    with delayed(tmp_path_factory.mktemp("late"), broker, f"late-{uuid.uuid4().hex[:8]}") as task:
        yield task


def curves(page):
    """The features in the order in which they are drawn: name, heights of the line, marks, and what a screen reader says."""
    return page.evaluate("""[...document.querySelectorAll("#features .small")].map(one => ({
        name: one.querySelector("span").textContent,
        line: one.querySelector("polyline")?.getAttribute("points").split(" ").map(point => point.split(",")[1]),
        limits: one.querySelectorAll(".limit").length,
        marks: one.querySelectorAll(".tick").length,
        says: one.querySelector("svg").getAttribute("aria-label"),
    }))""")


def columns(page, table):
    return page.locator(f"{table} thead th").all_inner_texts()


def test_the_label_delay_is_drawn_and_its_table_has_the_points_of_the_history(late, visit):
    points = [point for point in late.client.metrics(late.task) if point.label_delay_s["p50"] is not None]
    assert len(points) > 2
    page = visit(late.url)
    page.wait_for_selector("#delay canvas")
    assert page.locator("#delay-list").inner_text().split()[::3] == ["p50", "p90", "p99"]
    page.locator("summary", has_text="Table of points").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#delays tbody tr")
    assert columns(page, "#delays") == ["Time", "p50", "p90", "p99"]
    times = page.locator("#delays tbody th").all_inner_texts()
    assert len(times) >= len({point.time for point in points})
    assert times == page.locator("#points tbody th").all_inner_texts()[: len(times)]  # the same time axis
    first, last = (page.locator(f"#delays tbody tr:{at}-child td").all_inner_texts() for at in ("last", "first"))
    assert all(text.endswith((" s", " ms")) for text in first + last)
    shard = page.locator("#shards tbody tr td:nth-child(8), #shards tbody tr td:nth-child(9)").all_inner_texts()
    assert [last[0], last[2]] == shard


def test_the_label_delay_has_the_width_and_the_times_of_the_charts_above_it(late, visit):
    page = visit(late.url)
    page.wait_for_selector("#delay canvas")
    boxes = [page.locator(f"{chart} .u-over").bounding_box() for chart in ("#chart", "#evidence", "#delay")]
    assert len({(box["x"], box["width"]) for box in boxes}) == 1
    middle = round(boxes[0]["width"] / 2)
    page.mouse.move(boxes[0]["x"] + middle, boxes[0]["y"] + 20)
    script = """middle => ["chart", "evidence", "delay"].every(id => {
        const at = new DOMMatrix(getComputedStyle(document.querySelector(`#${id} .u-cursor-x`)).transform).m41;
        return Math.abs(at - middle) < 2;
    })"""
    wait_for(page, script, middle)


def test_where_no_question_is_answered_no_delay_is_shown(late, visit):
    page = visit(f"{late.url}-alone")
    page.wait_for_selector("#chart canvas")
    assert not page.is_visible("#s-delay")


def test_a_feature_that_drifts_has_a_curve_that_meets_the_threshold_at_a_mark(late, visit):
    page = visit(late.url)
    wait_for(page, "n => document.querySelectorAll('#features polyline').length === n", len(DRIFTING + STEADY))
    drawn = curves(page)
    assert {one["name"] for one in drawn[:2]} == set(DRIFTING)  # those with the highest evidence come first
    assert {one["name"] for one in drawn[2:]} == set(STEADY)
    for one in drawn:
        is_drifting = one["name"] in DRIFTING
        assert one["limits"] == 1
        assert (one["marks"] > 0) == is_drifting
        assert (HIGHEST in one["line"]) == is_drifting
        assert len(set(one["line"])) > 2
        assert ("signal" in one["says"]) == is_drifting
        assert one["says"].startswith(f"{one['name']}: ")
    page.locator("summary", has_text="Table of features").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#drifts tbody tr")
    assert page.locator("#drifts tbody th").all_inner_texts() == [one["name"] for one in drawn]
    assert page.locator("#drifts tbody tr:first-child td").all_inner_texts()[2] == "100.0 %"


def test_at_most_24_curves_are_drawn_and_a_drift_that_happens_becomes_the_first(late, visit):
    page = visit(f"{late.url}-wide")
    wait_for(page, "() => document.querySelectorAll('#features polyline').length === 24")
    assert sum(one["marks"] for one in curves(page)) == 0
    late.client.samples(f"{late.task}-wide", list(wide(3, 300, drifting=7)))
    wait_for(page, "() => document.querySelector('#features .small:has(.tick) span')?.textContent === 'f7'")
    drawn = curves(page)
    assert (drawn[0]["name"], len(drawn)) == ("f7", 24)
    assert HIGHEST in drawn[0]["line"]
    page.click("text=Table of features")
    shown = page.locator("#drifts tbody td:nth-child(4)").all_inner_texts()
    most = [float(text.removesuffix(" %")) for text in shown]
    assert len(most) >= 24
    assert (
        max(after - before for before, after in pairwise(most)) <= 10
    )  # in steps of a tenth, so that few change places


def test_the_curves_fit_and_axe_finds_no_serious_fault(late, visit, shots):
    page = visit(late.url)
    page.wait_for_selector("#features polyline")
    for summary, table in (("Table of points", "#delays"), ("Table of features", "#drifts")):
        page.click(f"text={summary}")
        page.wait_for_selector(f"{table} tbody tr")
    for width, scheme, is_checked in LOOKS:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        wait_for(page, "width => document.documentElement.scrollWidth <= width", width)
        page.screenshot(path=shots / f"late-{width}-{scheme}.png", full_page=True)
        if is_checked:
            assert serious_faults(page) == []
