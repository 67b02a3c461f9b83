"""The dashboard for Grafana: printed from the code, of the structure that Grafana documents, and asking for metrics that there are."""

import importlib.util
import json
import re
import sys

import pytest
import yaml
from harness import ROOT

from headrace.app.families import FAMILIES

FOLDER = ROOT / "deploy" / "grafana"
spec = importlib.util.spec_from_file_location("dashboard", FOLDER / "dashboard.py")
printer = importlib.util.module_from_spec(spec)
sys.modules["dashboard"] = printer
spec.loader.exec_module(printer)

DASHBOARD = json.loads(printer.PRINTED.read_text())
ROWS = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VARIABLES = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "rules.yml").read_text())
RECORDED = {rule["record"] for group in RULES["groups"] for rule in group["rules"] if "record" in rule}
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
LABELS = {
    family.name + suffix: {*labels, *family.labels}
    for labels, table in FAMILIES
    for family in table
    for suffix in (("_bucket", "_sum", "_count") if family.type == "histogram" else ("",))
}


def test_the_file_has_what_the_code_prints():
    assert printer.PRINTED.read_text() == printer.printed(), "run: make reference"


def test_each_row_is_there():
    assert [row["title"] for row in ROWS] == ["Learning", "Answers", "Worth", "What happened", "Health"]


def test_ids_are_unique_and_those_of_a_row_follow_it():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert ids == sorted(ids)
    assert [row["id"] for row in ROWS] == [100, 200, 300, 400, 500]


def test_no_two_panels_share_a_place_and_none_leaves_the_grid():
    places = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        taken = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & places, panel["title"]
        assert max(x for x, _ in taken) < printer.COLUMNS
        places |= taken


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_a_panel_has_a_unit_a_text_names_for_its_series_and_thresholds(panel):
    assert panel["description"].endswith(".")
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"] in {"s", "short", "cps", "bytes", "Bps", "percentunit"}
    steps = defaults["thresholds"]["steps"]
    limits = [step["value"] for step in steps]
    assert limits[0] is None
    assert limits[1:] == sorted(limits[1:])
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEF")[: len(panel["targets"])]
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        named, kept = re.findall(r"{{(\w+)}}", target["legendFormat"]), re.search(r"by \(([^)]*)\)", target["expr"])
        assert set(named) == set(kept[1].split(", ")) - {"le"}


@pytest.mark.parametrize(
    "expr", [*EXPRESSIONS, *(one["query"]["query"] for one in VARIABLES.values() if "qryType" in one["query"])]
)
def test_a_query_asks_for_metrics_and_labels_that_there_are(expr):
    asked = re.findall(r"((?:\w+:)?headrace_\w+(?::\w+)?)(?:\{(.*?)\})?", expr)
    assert asked
    for name, selected in asked:
        labels = {"task", "partition"} if name in RECORDED else LABELS[name]
        assert set(re.findall(r'(\w+)\s*=~?\s*"', selected)) <= labels
        if "partition" in labels:
            assert 'partition=~"$partition"' in selected or expr.endswith(", partition)") or "source" in name
        if "task" in labels:
            assert 'task=~"$task"' in selected or expr == "label_values(headrace_shards, task)"


def test_every_family_is_shown_but_those_that_another_one_shows():
    shown = set(re.findall(r"headrace_\w+", " ".join(EXPRESSIONS)))
    hidden = {
        family.name
        for _, table in FAMILIES
        for family in table
        if not any(one.startswith(family.name) for one in shown)
    }
    assert hidden == {
        "headrace_end_offset",  # lag and throughput
        "headrace_position_offset",
        "headrace_model_position_offset",  # staleness
        "headrace_gaps_read_total",  # the messages that were read
        "headrace_skipped_total",  # duplicates: no trouble
    }


def test_grafana_keeps_every_field():
    """The types that Grafana publishes know every field and value: what they do not know is lost on the way through them."""
    pytest.importorskip("grafana_foundation_sdk")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    def kept(before, after):
        """Whether all that was there is there; Grafana adds its defaults."""
        if isinstance(before, dict):
            return [
                f"{key}/{lost}" for key in before for lost in (kept(before[key], after[key]) if key in after else [""])
            ]
        if isinstance(before, list):
            return [lost for one, other in zip(before, after, strict=True) for lost in kept(one, other)]
        return [] if before == after else [f"{before} != {after}"]

    register_default_plugins()

    def through(document):
        return json.loads(JSONEncoder().encode(Dashboard.from_json(document)))

    assert kept(DASHBOARD, through(DASHBOARD)) == []
    wrong = json.loads(json.dumps(DASHBOARD))
    wrong["panels"][1]["options"]["legnd"] = {}
    assert kept(wrong, through(wrong)) != []


def test_the_provisioned_files_are_where_grafana_looks_for_them():
    (source,) = yaml.safe_load((FOLDER / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["access"], source["isDefault"]) == ("prometheus", "proxy", True)
    assert VARIABLES["datasource"]["current"] == {"selected": True, "text": source["name"], "value": source["uid"]}
    (provider,) = yaml.safe_load((FOLDER / "provisioning" / "dashboards" / "headrace.yml").read_text())["providers"]
    assert provider["type"] == "file"
    settings = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == settings["global"]["scrape_interval"]
