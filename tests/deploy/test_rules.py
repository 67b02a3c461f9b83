"""The alerts for Prometheus fire when they should and at no other time, and ask for metrics that there are."""

import re

import pytest
import yaml
from harness import ROOT
from promtool import needs_promtool, promtool

from headrace.app.families import FAMILIES

FOLDER = ROOT / "deploy" / "prometheus"
RULES = [rule for group in yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
TESTED = [
    check
    for test in yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
    for check in test.get("alert_rule_test", ())
]
LABELS = {
    family.name + suffix: {*labels, *family.labels}
    for labels, table in FAMILIES
    for family in table
    for suffix in (("_bucket", "_sum", "_count") if family.type == "histogram" else ("",))
}


@needs_promtool
def test_promtool_accepts_the_rules():
    status, said = promtool("check", "rules", FOLDER / "rules.yml")
    assert status == 0, said


@needs_promtool
def test_the_alerts_fire_as_their_tests_say():
    status, said = promtool("test", "rules", FOLDER / "rules_test.yml")
    assert status == 0, said


@needs_promtool
@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_that_never_fires_is_noticed(alert, tmp_path):
    (tmp_path / "rules_test.yml").write_text((FOLDER / "rules_test.yml").read_text())
    rules = yaml.safe_load((FOLDER / "rules.yml").read_text())
    for rule in rules["groups"][1]["rules"]:
        if rule["alert"] == alert:
            rule["expr"] = f"({rule['expr']}) and vector(0) > 1"
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    status, said = promtool("test", "rules", tmp_path / "rules_test.yml")
    assert status != 0
    assert alert in said


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not(alert):
    fires = {bool(check["exp_alerts"]) for check in TESTED if check["alertname"] == alert}
    assert fires == {True, False}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_rules_ask_for_metrics_and_labels_that_there_are(rule):
    asked = re.findall(r"(?<![\w:])(headrace_\w+)(?:\{(.*?)\})?", rule["expr"])
    assert asked or "task_partition:" in rule["expr"]
    for name, selected in asked:
        assert set(re.findall(r'(\w+)\s*=~?\s*"', selected)) <= LABELS[name]


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_names_its_severity_and_a_page_that_says_what_to_do(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert (ROOT / rule["annotations"]["runbook"]).is_file()
    assert f"`{alert}`" in (ROOT / "docs" / "how-to" / "monitor.md").read_text()
