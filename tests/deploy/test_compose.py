"""`deploy/compose.yaml` fits what it starts: its files, its settings, its secrets, and ports that only this machine reaches."""

import os
import re
import stat
import subprocess
import tomllib

import pytest
import yaml
from harness import ROOT

from headrace.app.contract import operations
from headrace.app.doors import doors_of
from headrace.app.keys import ApiKeys, parse_keys
from headrace.app.settings import load
from headrace.app.views import ROUTES

FILE = ROOT / "deploy" / "compose.yaml"
COMPOSE = yaml.safe_load(FILE.read_text())
ALONE = yaml.safe_load((ROOT / "deploy" / "kafka" / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
PROMETHEUS = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """The variables that `secrets.sh` writes, set."""
    for name in [name for name in os.environ if name.startswith("HEADRACE_")]:
        monkeypatch.delenv(name)
    file = tmp_path / ".env"
    subprocess.run([ROOT / "deploy" / "secrets.sh", file], check=True, capture_output=True)
    variables = dict(line.split("=", 1) for line in file.read_text().splitlines())
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def test_compose_accepts_it():
    """The types of the Compose specification; it needs no Docker."""
    spec = pytest.importorskip("compose_spec")
    text = re.sub(
        "@sha256:[0-9a-f]{64}", "", FILE.read_text()
    )  # these types know no image with a tag and a digest; Docker does

    def check(text):
        composed = spec.PyCompose.from_yaml(text)
        composed.validate()
        composed.validate_secrets()
        return composed.service_names()

    assert set(check(text)) == set(SERVICES)
    with pytest.raises(ValueError, match="imagine"):
        check(text.replace("    image: prom", "    imagine: prom"))
    with pytest.raises(ValueError, match="secret"):
        check(text.replace("    secrets: [headrace-prometheus-key]", "    secrets: [other]"))


def test_it_has_the_services_of_a_deployment():
    assert set(SERVICES) == {"kafka", "worker", "redis", "prometheus", "grafana"}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_reached_from_this_machine_alone(name):
    assert SERVICES[name]["ports"]
    for port in SERVICES[name]["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port)
    assert "network_mode" not in SERVICES[name]


@pytest.mark.parametrize("name", SERVICES)
def test_the_version_of_an_image_is_pinned(name):
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(-alpine)?(@sha256:[0-9a-f]{64})?", SERVICES[name]["image"])


def test_the_image_that_is_built_has_the_version_of_the_package():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert SERVICES["worker"]["image"] == f"headrace:{version}"
    assert (FILE.parent / SERVICES["worker"]["build"] / "Dockerfile").is_file()


def test_kafka_is_the_one_that_also_runs_alone():
    (alone,) = ALONE["services"].values()
    assert SERVICES["kafka"]["image"] == alone["image"]
    differing = {
        name for name, value in alone["environment"].items() if SERVICES["kafka"]["environment"][name] != value
    }
    assert all("LISTENER" in name for name in differing)


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_a_health_check(name):
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_there(name):
    mounted = [volume.split(":") for volume in SERVICES[name].get("volumes", ())]
    assert mounted
    for source, _, *mode in mounted:
        if source.startswith("."):
            assert (FILE.parent / source).exists(), source
            assert mode == ["ro"]
        else:
            assert source in COMPOSE["volumes"]


def test_what_names_a_mounted_file_names_its_place():
    def places(name):
        return {volume.split(":")[1] for volume in SERVICES[name]["volumes"]}

    grafana = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert grafana in places("grafana")
    (provider,) = yaml.safe_load((FILE.parent / "grafana/provisioning/dashboards/headrace.yml").read_text())[
        "providers"
    ]
    assert grafana.rpartition("/")[0] == provider["options"]["path"]
    assert {f"/etc/prometheus/{name}" for name in PROMETHEUS["rule_files"]} <= places("prometheus")
    (job,) = PROMETHEUS["scrape_configs"]
    assert job["authorization"]["credentials_file"].removeprefix("/run/secrets/") in COMPOSE["secrets"]
    assert job["static_configs"][0]["targets"] == ["worker:6066"]
    assert "HEADRACE_CONFIG=/headrace/headrace.toml" in (ROOT / "Dockerfile").read_text()
    assert "/headrace/headrace.toml" in places("worker")


def test_services_are_asked_where_they_listen(environment):
    settings = load(FILE.parent / "headrace.toml")
    assert str(settings.brokers.hosts) in SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert settings.worker.web == "0.0.0.0:6066"
    assert settings.address == "http://worker:6066"
    source = yaml.safe_load((FILE.parent / "grafana/provisioning/datasources/prometheus.yml").read_text())
    assert source["datasources"][0]["url"] == "http://prometheus:9090"


def test_the_worker_may_start_with_the_secrets_that_are_made(environment):
    settings = load(FILE.parent / "headrace.toml")
    doors = doors_of(settings, operations(ROUTES))
    settings.check_signed()
    assert doors.keys
    assert doors.proofs is not None
    assert list(settings.weak_secrets()) == []
    keys = ApiKeys(parse_keys(environment["HEADRACE_KEYS"].replace(";", "\n"), "HEADRACE_KEYS"))
    assert keys.find(environment["HEADRACE_KEY"]).roles == {"admin"}
    assert keys.find(environment["HEADRACE_PROMETHEUS_KEY"]).roles == {"predict"}


def test_each_variable_is_made_and_none_has_a_value_in_the_file(environment):
    asked = re.findall(r"\$\{(\w+)(.*?)\}", FILE.read_text())
    assert {rest for _, rest in asked} == {":?run deploy/secrets.sh"}
    needed = {name for name, _ in asked} | {secret["environment"] for secret in COMPOSE["secrets"].values()}
    assert needed == set(environment) - {"HEADRACE_KEY"}
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert not re.search("PASSWORD|SECRET|KEYS?$", name) or value.startswith("${")


def test_the_secrets_are_for_their_owner_alone_and_are_not_written_over(tmp_path):
    file = tmp_path / ".env"
    made = [subprocess.run([ROOT / "deploy" / "secrets.sh", file], check=False, capture_output=True) for _ in range(2)]
    assert [one.returncode == 0 for one in made] == [True, False]
    assert b"cannot overwrite" in made[1].stderr
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ignored = subprocess.run(["git", "check-ignore", "deploy/.env"], cwd=ROOT, check=False, capture_output=True)
    assert ignored.returncode == 0
