"""The command line: exit statuses, errors without tracebacks, and the output of each command."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import tomllib

import pytest
from click.testing import CliRunner
from harness import HEADRACE, ROOT, free_port, wait_for
from river import datasets
from served import COMMAND_LINE

from headrace.app import broker as embedded
from headrace.app.cli import COMMANDS
from headrace.app.cli import headrace as group
from headrace.app.cli.doctor import as_table as doctor_table
from headrace.app.cli.doctor import check_datadir
from headrace.app.cli.screen import Screen
from headrace.app.cli.status import as_table as status_table
from headrace.app.settings import load
from headrace.learning.fold.finding import Finding

TASK = '[tasks.ads]\nkind = "binary"\n'


def test_every_command_of_the_design_is_there_and_explains_itself(headrace):
    assert {"demo", "init", "broker", "worker", "send", "predict", "status", "key", "doctor"} <= set(COMMANDS)
    for name in COMMANDS:
        called = headrace(name, "--help")
        assert called.status == 0
        assert "Usage" in called.out


def test_version_and_help_load_no_command(tmp_path):
    """They take a fifth of a second; River alone takes two."""
    code = (
        "import sys\n"
        "from headrace.app.cli import headrace\n"
        "headrace(sys.argv[1:], standalone_mode=False)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'river', 'faust', 'aiokafka', 'numpy', 'aiohttp', 'rich'}))\n"
        "print(sorted(name for name in sys.modules if name.startswith('headrace.app.cli.')))\n"
    )
    for option in ("--version", "--help"):
        printed = subprocess.check_output([sys.executable, "-c", code, option], text=True, cwd=ROOT)
        assert printed.endswith("[]\n[]\n")


@pytest.mark.parametrize(
    "command", [["status"], ["predict", "ads", "price=1"], ["compare", "ads", "champion", "majority"]]
)
def test_a_command_that_only_asks_a_worker_makes_no_model(tmp_path, command):
    settings = tmp_path / "headrace.toml"
    settings.write_text('[worker]\nweb = "127.0.0.1:1"\n[tasks.ads]\nkind = "binary"\nmodel = "nowhere:made"\n')
    code = (
        "import sys\nfrom headrace.app.cli import main\n"
        "try: main()\nexcept SystemExit: print({'river', 'scipy', 'faust'} & {*sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command, "--config", settings],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert "no worker answers" in done.stderr
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    "command", [["worker"], ["status"], ["doctor"], ["predict", "ads", "a=1"], ["send", "ads", "river:Phishing"]]
)
def test_wrong_settings_end_every_command_with_status_2_and_one_line(headrace, tmp_path, command):
    config = tmp_path / "headrace.toml"
    config.write_text(f"[brokr]\n{TASK}")
    called = headrace(*command, "--config", config)
    assert called.status == 2
    assert called.err.splitlines() == [f"{config}: unknown key 'brokr'. Did you mean 'broker'?"]


def test_a_real_process_ends_with_the_same_status(tmp_path):
    """Through the console script, with nothing of this process: 2 for settings and usage, 1 for a failure, 0 for success."""
    config = tmp_path / "headrace.toml"
    environment = os.environ | {"HEADRACE_CONFIG": str(config), "PYTHONPATH": str(ROOT)}

    def status_of(*arguments):
        ended = subprocess.run(
            [*HEADRACE, *arguments], env=environment, capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert "Traceback" not in ended.stderr
        return ended.returncode

    assert status_of("status") == 2  # no settings
    config.write_text(f'[worker]\nweb = "127.0.0.1:{free_port()}"\n{TASK}')
    assert status_of("status", "--nonsense") == 2
    assert status_of("status") == 1  # no worker
    assert status_of("--version") == 0


def test_without_a_worker_it_says_how_to_start_one(headrace, tmp_path):
    (tmp_path / "headrace.toml").write_text(f'[worker]\nweb = "127.0.0.1:{free_port()}"\n{TASK}')
    called = headrace("status", "--config", tmp_path / "headrace.toml")
    assert called.status == 1
    assert "no worker answers" in called.err
    assert "headrace worker" in called.err


def test_the_worker_starts_itself_again_with_a_fixed_hash_seed(tmp_path):
    (tmp_path / "app_of_the_test.py").write_text(
        "import os, sys, headrace.app.worker\n"
        "headrace.app.worker.run = lambda settings, instance, level, place: print(os.environ['PYTHONHASHSEED'], hash('a'), instance)\n"
        "from headrace.app.cli import main\n"
        "main()\n"
    )
    config = tmp_path / "headrace.toml"
    config.write_text(TASK)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"} | {
        "PYTHONPATH": str(ROOT)
    }
    printed = [
        subprocess.run(
            [sys.executable, "app_of_the_test.py", "worker", "--config", str(config), "--instance", "one"],
            env=environment, capture_output=True, text=True, cwd=tmp_path, check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert printed[0].startswith("0 ")
    assert printed[0].endswith(" one\n")
    assert printed[0] == printed[1]


# init


def test_init_writes_settings_that_can_be_used_and_never_overwrites(headrace, tmp_path):
    config = tmp_path / "headrace.toml"
    called = headrace("init", "--config", config)
    assert called.status == 0
    assert load(str(config)).tasks["phishing"].kind == "binary"
    assert "headrace send" in called.out
    config.write_text("mine")
    again = headrace("init", "--config", config)
    assert again.status == 1
    assert "is there already" in again.err
    assert config.read_text() == "mine"


def write_csv(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["true", "False"], "binary"),
        (["1", "0"], "binary"),
        (["1", "2", "3"], "multiclass"),
        (["cat", "dog"], "binary"),
        (["cat", "dog", "bird"], "multiclass"),
        (["01", "02", "03"], "multiclass"),
        (["1.5", "2"], "regression"),
        ([str(number) for number in range(100)], "regression"),
    ],
)
def test_init_infers_the_kind_from_the_label(headrace, tmp_path, labels, kind):
    table = write_csv(tmp_path / "My table.csv", ["a", "y"], [["1", label] for label in labels])
    config = tmp_path / "headrace.toml"
    assert headrace("init", "--config", config, "--csv", table, "--label", "y").status == 0
    assert load(str(config)).tasks["my-table"].kind == kind


def test_init_declares_each_column_and_says_the_commands_to_go_on_with(headrace, tmp_path):
    header = ["id", "user", "amount", "post code", 'a "quoted" ü', "weekend", "gap", "bought"]
    rows = [["i1", "ana", "1.5", "01234", "x", "true", "", "1"], ["i2", "ben", "2", "80331", "y", "false", "3", "0"]]
    table = write_csv(tmp_path / "shop.csv", header, rows)
    config = tmp_path / "headrace.toml"
    called = headrace("init", "--config", config, "--csv", table, "--label", "bought", "--id", "id", "--key", "user")
    assert called.status == 0
    assert tomllib.loads(config.read_text())["tasks"]["shop"]["features"] == {
        "amount": {"type": "float"},
        "post code": {"type": "string"},
        'a "quoted" ü': {"type": "string"},
        "weekend": {"type": "bool"},
        "gap": {"type": "float", "optional": True, "missing": "indicator"},
    }
    assert tomllib.loads(config.read_text())["tasks"]["shop"]["columns"] == {
        "label": "bought", "id": "id", "key": "user", "positive": "1", "negative": "0", "decimal": ".",
    }  # fmt: skip
    commands = called.out.replace(" \\\n   ", "")  # a long command goes on in the next line
    assert f"send --config {config} shop {table}\n" in commands
    assert "amount=1.5 'post code=01234'" in commands


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--label", "y"], "are about a file: name it"),
        (["--csv", "table.csv", "--label", "x"], "there is no column 'x'"),
        (["--csv", "table.csv", "--label", "label", "--id", "nr"], "there is no column 'nr'"),
        (["--csv", "nowhere.csv"], "there is no such file"),
        (["--csv", "empty.csv"], "no rows"),
        (["--csv", "nothing.csv"], "is empty"),
        (["two.csv"], "stands twice"),
        (["table.csv", "--positive", "yes"], "no label is 'yes'"),
        (["table.csv", "--positive", "1", "--kind", "regression"], "--positive is for binary tasks"),
    ],
)
def test_init_refuses_what_it_cannot_use(headrace, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "table.csv", ["a", "label"], [["1", "1"]])
    write_csv(tmp_path / "empty.csv", ["a", "label"], [])
    (tmp_path / "nothing.csv").touch()
    write_csv(tmp_path / "two.csv", ["a", "a", "label"], [["1", "2", "1"]])
    called = headrace("init", *arguments)
    assert called.status == 2
    assert reason in called.err
    assert not (tmp_path / "headrace.toml").exists()


# doctor


def settings_for(tmp_path, broker):
    config = tmp_path / "headrace.toml"
    config.write_text(f'[broker]\nurl = "kafka://{broker}"\n[worker]\nweb = "127.0.0.1:{free_port()}"\n{TASK}')
    return config


def findings(headrace, config):
    called = headrace("doctor", "--config", config, "--json")
    return called.status, {finding["check"]: finding for finding in json.loads(called.out)}


def test_doctor_finds_nothing_wrong_where_nothing_is(headrace, tmp_path, broker):
    status, by_check = findings(headrace, settings_for(tmp_path, broker))
    assert status == 0
    assert {name for name, finding in by_check.items() if finding["status"] == "fault"} == set()
    assert by_check["broker"]["status"] == by_check["datadir"]["status"] == by_check["versions"]["status"] == "ok"
    assert by_check["worker"]["status"] == "note"


def test_doctor_names_a_broker_that_is_away_and_goes_on(headrace, tmp_path):
    status, by_check = findings(headrace, settings_for(tmp_path, f"127.0.0.1:{free_port()}"))
    assert status == 1
    assert by_check["broker"]["status"] == "fault"
    assert "headrace broker" in by_check["broker"]["remedy"]
    assert "worker" in by_check


def test_doctor_names_what_is_wrong_with_this_machine(headrace, tmp_path, broker, monkeypatch):
    config = settings_for(tmp_path, broker)
    (tmp_path / "data").write_text("a file where the folder should be")
    monkeypatch.setattr(sys.modules["headrace.app.cli.doctor"], "EARLIEST", 4e9)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.0")
    status, by_check = findings(headrace, config)
    assert status == 1
    for check, remedy in (("datadir", "worker.datadir"), ("clock", "NTP"), ("versions", "requirements.txt")):
        assert by_check[check]["status"] == "fault"
        assert remedy in by_check[check]["remedy"]
    assert "river is 0.0, not " in by_check["versions"]["what"]


def test_doctor_names_a_source_that_is_not_there(headrace, tmp_path, broker):
    config = settings_for(tmp_path, broker)
    config.write_text(config.read_text() + '[[tasks.ads.sources]]\ntopic = "nowhere"\nfeatures = "@"\n')
    called = headrace("doctor", "--config", config, "--json")
    assert called.status == 1
    faults = [finding for finding in json.loads(called.out) if finding["status"] == "fault"]
    assert [fault["what"] for fault in faults] == ["the source topic nowhere is missing."]
    assert faults[0]["remedy"]


def test_doctor_names_a_shard_and_a_source_that_are_stopped(headrace, tmp_path, broker, monkeypatch):
    shard = {"partition": 0, "state": "stopped", "error": "the snapshot is damaged."}
    source = {"topic": "orders", "partition": 3, "state": "stopped", "error": "offset 7 is gone."}
    status = {"shards": [shard], "sources": {"mapped": 0, "partitions": [source]}}
    monkeypatch.setattr(sys.modules["headrace.app.cli.doctor"], "ask", lambda *_, **__: status)
    called = headrace("doctor", "--config", settings_for(tmp_path, broker), "--json")
    assert called.status == 1
    assert [finding["what"] for finding in json.loads(called.out) if finding["check"] == "worker"] == [
        "shard 0 of 'ads' is stopped: the snapshot is damaged.",
        "source orders/3 of 'ads' is stopped: offset 7 is gone.",
    ]


def test_doctor_makes_no_datadir(tmp_path):
    (tmp_path / "headrace.toml").write_text(f'[worker]\ndatadir = "var/data"\n{TASK}')
    settings = load(str(tmp_path / "headrace.toml"))
    (finding,) = check_datadir(settings)
    assert finding.status == "ok"
    assert str(tmp_path / "var" / "data") in finding.what
    assert finding.what.endswith(", a worker makes it")
    assert [path.name for path in tmp_path.iterdir()] == ["headrace.toml"]
    settings.datadir.mkdir(parents=True)
    (finding,) = check_datadir(settings)
    assert finding.what.endswith("GiB free")
    assert list(settings.datadir.iterdir()) == []
    settings.datadir.rmdir()
    (tmp_path / "var").rmdir()
    (tmp_path / "var").write_text("a file in the place of a folder")
    (finding,) = check_datadir(settings)
    assert (finding.status, finding.remedy) == ("fault", "Set worker.datadir.")


def lines_of(shown, width):
    console = Screen(width=width, file=io.StringIO())
    console.print(shown)
    return console.file.getvalue().splitlines()


def test_doctor_has_room_for_its_words_on_a_narrow_terminal():
    what, remedy = "the broker at 127.0.0.1:9092 cannot be reached: " + "x " * 40, "Start it, or set broker.url."
    lines = lines_of(doctor_table([Finding("broker", "fault", what, remedy)]), 80)
    assert len(lines) <= 5  # a heading, three of the fault, and what to do
    assert lines[-1].strip() == remedy


@pytest.mark.parametrize("width", [200, 88, 87, 80, 60, 46, 36])
def test_status_cuts_no_figure_and_no_heading_on_a_narrow_terminal(width):
    figures = {"position": 123_456_789, "end": 123_266_789, "updates": 123_455_321, "quarantined": 1_468}
    arms = {"champion": {"role": "champion", "model": "logistic", "metrics": {"accuracy": 0.8872}}}
    questions = {"waiting": 10_021, "label_delay_s": {}}
    shard = figures | {"state": "stopped", "questions": questions, "digest": "343c0f7d" * 8, "arms": arms}
    shards = [shard | {"partition": 0}, shard | {"partition": 1}]
    overall = {"shards": [0, 1], "arms": {"champion": {"metrics": {"accuracy": 0.8901, "window": {}}}}}
    answer = {"task": "ads", "kind": "binary", "shards": shards, "overall": overall}
    lines = lines_of(status_table(answer, width), width)
    assert "…" not in "".join(lines)
    shown = " ".join("\n".join(lines).split())
    for figure in ("123456789", "-190000", "123455321", "1468", "10021", "343c0f7d"):
        assert shown.count(figure) >= 2
    assert "overall, champion: accuracy 0.8901" in shown
    for column in ("position", "lag", "updates", "waiting", "quarantined", "digest"):
        assert column in shown
    assert ("digest 343c0f7d" in shown) == (width < 88)


def test_doctor_prints_a_table_for_people(headrace, tmp_path, broker):
    called = headrace("doctor", "--config", settings_for(tmp_path, broker))
    assert called.status == 0
    assert "datadir" in called.out


# predict and status, against a worker


@pytest.fixture
def worker(served):
    return served


def test_what_was_sent_is_learned_shown_and_asked(headrace, worker):
    assert headrace("send", COMMAND_LINE, "river:Phishing", "--config", worker.config).status == 0
    wait_for(lambda: worker.get(f"/v1/{COMMAND_LINE}")["shards"][0].get("position") == 1251, 30, "all rows learned")
    status = json.loads(headrace("status", COMMAND_LINE, "--config", worker.config, "--json").out)
    assert (status["task"], status["kind"]) == (COMMAND_LINE, "binary")
    shard = status["shards"][0]
    assert (shard["state"], shard["position"], shard["end"], shard["updates"]) == ("live", 1251, 1251, 1250)
    assert shard["arms"]["champion"]["metrics"]["accuracy"] == pytest.approx(0.8872)
    assert "0.8872" in headrace("status", "--config", worker.config).out

    features, _ = next(iter(datasets.Phishing()))
    pairs = [f"{name}={value}" for name, value in features.items()]
    by_pairs = json.loads(headrace("predict", COMMAND_LINE, *pairs, "--config", worker.config, "--json").out)
    by_json = json.loads(
        headrace(
            "predict",
            COMMAND_LINE,
            "--features",
            json.dumps(features),
            "--id",
            "me",
            "--config",
            worker.config,
            "--json",
        ).out
    )
    assert by_json["id"] == "me"
    assert by_pairs["probabilities"] == by_json["probabilities"]
    assert by_pairs["position"] == 1251
    for_people = headrace("predict", COMMAND_LINE, *pairs, "--config", worker.config)
    assert for_people.status == 0
    assert "position 1251" in for_people.out


def test_doctor_finds_a_worker_and_its_topics(headrace, worker):
    status, by_check = findings(headrace, worker.config)
    assert status == 0
    assert by_check["worker"]["status"] == by_check["topics"]["status"] == "ok"


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (["nothing", "a=1"], 2, "there is no task 'nothing'"),
        ([COMMAND_LINE, "a"], 2, "is not NAME=VALUE"),
        ([COMMAND_LINE, "--features", "[1]"], 2, "is not a JSON object"),
        ([COMMAND_LINE, "--features", "{"], 2, "is not JSON"),
        ([COMMAND_LINE, "--features", '{"a": null}'], 1, "feature 'a'"),
    ],
)
def test_a_question_that_is_wrong_is_refused_with_its_reason(headrace, worker, arguments, status, reason):
    called = headrace("predict", *arguments, "--config", worker.config)
    assert called.status == status
    assert reason in called.err


# broker


def test_the_broker_command_runs_until_it_is_told_to_stop():
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen([*HEADRACE, "broker", "--listen", address], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert "in memory only" in process.stdout.readline()
        assert embedded.is_reachable(address)
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        host, port = address.split(":")
        assert not embedded.is_listening(host, int(port))
    finally:
        process.kill()
        process.stdout.close()


def test_what_an_error_says_is_shown_as_it_is_and_is_no_markup():
    error = "KeyError('[/b]') in [red]"
    shard = {"partition": 0, "state": "stopped", "error": error}
    for table in (
        status_table({"task": "ads", "kind": "binary", "shards": [shard]}, 200),
        doctor_table([Finding("worker", "fault", error, error)]),
    ):
        console = Screen(width=200, file=io.StringIO())
        console.print(table)
        assert error in console.file.getvalue()


def test_init_makes_a_key_that_only_its_owner_reads_and_overwrites_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = CliRunner().invoke(group, ["init"])
    assert first.exit_code == 0, first.output
    assert "and snapshot.key" in first.output
    key = tmp_path / "snapshot.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert load("headrace.toml").snapshot_key() == key.read_bytes().strip()
    assert len(key.read_bytes().strip()) == 64
    before = key.read_bytes()
    second = CliRunner().invoke(group, ["init", "--config", "other.toml"])
    assert second.exit_code == 0, second.output
    assert second.output.splitlines()[0] == "Wrote other.toml. It uses the snapshot.key that is there."
    assert key.read_bytes() == before
    for called in (first, second):
        assert called.output.splitlines()[1].startswith("snapshot.key is secret: give all workers the same")


@pytest.mark.parametrize("content", [b"", b" \n", b"f" * 31 + b"\n"])
def test_init_refuses_a_snapshot_key_that_no_worker_takes(headrace, tmp_path, content):
    (tmp_path / "snapshot.key").write_bytes(content)
    called = headrace("init", "--config", tmp_path / "headrace.toml")
    assert called.status == 1
    assert f"has {len(content.strip())} bytes; a snapshot key has 32 or more. Move it away" in called.err
    assert not (tmp_path / "headrace.toml").exists()
    assert (tmp_path / "snapshot.key").read_bytes() == content


@pytest.mark.parametrize(
    ("config", "reason"),
    [("nowhere/headrace.toml", "is not there. Make it"), ("blocked/headrace.toml", "cannot be read")],
)
def test_init_says_in_one_line_that_it_cannot_write(headrace, tmp_path, config, reason):
    (tmp_path / "blocked" / "snapshot.key").mkdir(parents=True)
    called = headrace("init", "--config", tmp_path / config)
    assert called.status == 1
    assert reason in called.err
    assert len(called.err.splitlines()) == 1
    assert not (tmp_path / config).exists()


def test_git_ignores_what_is_written_into_a_clone():
    written = {"headrace.toml", "snapshot.key", "keys"}
    assert {f"/{name}" for name in written} <= set((ROOT / ".gitignore").read_text().splitlines())
