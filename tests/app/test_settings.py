"""Settings: every wrong setting is refused, with the file, the key and a remedy."""

import os
import stat
import sys

import pytest
import structlog
from plainness import foreign
from rich.pretty import pretty_repr

from headrace.app.cli.doctor import check_settings
from headrace.app.doors import doors_of
from headrace.app.settings import load
from headrace.app.worker import warn_of_doors
from headrace.learning.errors import SettingsError
from headrace.learning.task import define

TASK = '[tasks.ads]\nkind = "binary"\n'


def settings_of(folder, text):
    path = folder / "headrace.toml"
    path.write_text(text)
    return load(str(path))


def test_what_is_left_out_has_the_documented_defaults(tmp_path):
    settings = settings_of(tmp_path, TASK)
    assert str(settings.brokers) == "127.0.0.1:9092"
    assert (settings.web_host, settings.web_port, settings.address) == ("127.0.0.1", 6066, "http://127.0.0.1:6066")
    assert settings.datadir == tmp_path / "data"
    worker = settings.worker
    assert (worker.snapshot_records, worker.snapshot_seconds) == (10000, 1.0)
    assert (worker.body_limit, worker.buffer_bytes) == (1 << 20, 64 << 20)
    task = settings.tasks["ads"]
    assert (task.name, task.model, task.partitions) == ("ads", "logistic", 1)


def test_all_that_the_design_shows_is_read(tmp_path):
    settings = settings_of(
        tmp_path,
        """
        [broker]
        url = "kafka://one:9092,two:9093"
        [worker]
        datadir = "/var/data"
        web = "0.0.0.0:80"
        address = "http://me:80"
        [tasks.phishing]
        kind = "binary"
        model = { use = "logistic", learning_rate = 0.05 }
        partitions = 4
        [tasks.phishing.features]
        long_url = { type = "float", min = 0, max = 1 }
        [tasks.digits]
        kind = "multiclass"
        labels = [0, 1, 2]
        """,
    )
    assert str(settings.brokers) == "one:9092,two:9093"
    assert str(settings.datadir) == "/var/data"
    assert settings.address == "http://me:80"
    assert settings.tasks["phishing"].model_name == "logistic"
    assert settings.tasks["phishing"].features["long_url"].max == 1
    assert settings.tasks["digits"].labels == [0, 1, 2]


WRONG = {
    "an arm of a version that is none": (
        f"{TASK}arms.then = {{ version = 'yesterday' }}",
        "'tasks.ads.arms' is wrong: the arm 'then' is of the version 'yesterday', which is no id",
        "headrace versions ads shows, or best, last_good, previous",
    ),
    "an arm of a version of a shard that is none": (
        f"{TASK}arms.then = {{ version = 'v9-1-7' }}",
        "the arm 'then' is of the version v9-1-7 of shard 1, and the task has 1",
        "Write an id that headrace versions ads shows.",
    ),
    "no task": ("", "'tasks' has no task", "[tasks.NAME]"),
    "unknown section": (f"[brokr]\n{TASK}", "unknown key 'brokr'", "Did you mean 'broker'?"),
    "unknown key of the broker": (f"[broker]\nuri = 'x'\n{TASK}", "unknown key 'broker.uri'", "Did you mean 'url'?"),
    "unknown key of the worker": (f"[worker]\ndatdir = 'x'\n{TASK}", "unknown key 'worker.datdir'", "'datadir'"),
    "unknown key without a near one": (f"[worker]\nxyzzy = 1\n{TASK}", "'worker.xyzzy'", "Known here: datadir, "),
    "unknown key of a task": (f"{TASK}modell = 'alma'", "unknown key 'tasks.ads.modell'", "Did you mean 'model'?"),
    "unknown key of a feature": (
        f"{TASK}[tasks.ads.features]\nprice = {{ typ = 'float' }}",
        "unknown key 'tasks.ads.features.price.typ'",
        "Did you mean 'type'?",
    ),
    "unknown key of a source": (
        f"{TASK}[[tasks.ads.sources]]\ntopic = 'clicks'\nlable = 'y'\nfeatures = 'x'",
        "unknown key 'tasks.ads.sources[0].lable'",
        "Did you mean 'label'?",
    ),
    "source without a topic": (
        f"{TASK}[[tasks.ads.sources]]\nfeatures = 'x'",
        "'tasks.ads.sources[0]' is wrong: 'topic' is missing",
        "",
    ),
    "source that gives nothing": (f"{TASK}[[tasks.ads.sources]]\ntopic = 'clicks'", "needs features or label", ""),
    "more labels than a task may have": (
        f"[tasks.ads]\nkind = 'multiclass'\nlabels = {list(range(1_001))}",
        "'tasks.ads.labels' is wrong: a list of up to 1000 elements is expected",
        'See "Settings" in docs/reference.md',
    ),
    "a limit of no names": (f"{TASK}name_limit = 0", "'tasks.ads.name_limit' is wrong", ""),
    "labels without ids": (
        f"{TASK}[[tasks.ads.sources]]\ntopic = 'clicks'\nlabel = 'y'",
        "a source of labels alone needs id",
        "",
    ),
    "wrong expression": (
        f"{TASK}[[tasks.ads.sources]]\ntopic = 'clicks'\n[tasks.ads.sources.features]\nprice = 'offer['",
        "'tasks.ads.sources[0].features.price' is no JMESPath expression: ",
        "https://jmespath.org",
    ),
    "unknown function": (
        f"{TASK}[[tasks.ads.sources]]\ntopic = 'clicks'\nfeatures = 'x'\nwhen = 'lenght(y)'",
        "'tasks.ads.sources[0].when' is no JMESPath expression: there is no function lenght()",
        "",
    ),
    "source that is the task's own": (
        f"{TASK}[[tasks.ads.sources]]\ntopic = 'ads.predictions'\nfeatures = 'x'",
        "'tasks.ads.sources' names ads.predictions",
        "Name a topic of others",
    ),
    "sources that are no list": (f"{TASK}sources = 'clicks'", "'tasks.ads.sources' is wrong", ""),
    "not a table": (f"worker = 3\n{TASK}", "'worker' is not a table", "[worker]"),
    "no Kafka": (f"[broker]\nurl = 'http://here:1'\n{TASK}", "'broker.url' is wrong", "like kafka://127.0.0.1:9092"),
    "wrong type": (
        f"[worker]\nsnapshot_records = 'many'\n{TASK}",
        "'worker.snapshot_records' is wrong",
        "a whole number is expected",
    ),
    "too little": (f"[worker]\nsnapshot_records = 0\n{TASK}", "'worker.snapshot_records'", "a whole number from 1"),
    "no seconds": (f"[worker]\nsnapshot_seconds = 0.0\n{TASK}", "'worker.snapshot_seconds'", ""),
    "nan seconds": (f"[worker]\nsnapshot_seconds = nan\n{TASK}", "'worker.snapshot_seconds'", ""),
    "endless seconds": (f"[worker]\nsnapshot_seconds = inf\n{TASK}", "'worker.snapshot_seconds'", "seconds"),
    "no address": (f"[worker]\nweb = 'here'\n{TASK}", "'worker.web'", "like 127.0.0.1:6066"),
    "a newline after the brokers": (
        f'[broker]\nurl = "kafka://here:1\\n"\n{TASK}',
        "'broker.url' is wrong",
        "like kafka://127.0.0.1:9092",
    ),
    "a newline after the place to listen on": (
        f'[worker]\nweb = "127.0.0.1:1\\n"\naddress = "http://me:1"\n{TASK}',
        "'worker.web' is wrong",
        "like 127.0.0.1:6066",
    ),
    "a newline after the group": (
        f'[worker]\ngroup = "headrace\\n"\n{TASK}',
        "'worker.group' is wrong",
        "like headrace",
    ),
    "a newline after a topic": (
        f'{TASK}[[tasks.ads.sources]]\ntopic = "clicks\\n"\nfeatures = "x"',
        "'tasks.ads.sources[0].topic' is wrong: it is not in the expected form. ",
        "like orders",
    ),
    "no port": (f"[worker]\nweb = 'here:70000'\n{TASK}", "'worker.web'", "65535"),
    "no kind": ("[tasks.ads]\nmodel = 'alma'", "'tasks.ads.kind' is missing", "binary"),
    "unknown kind": ("[tasks.ads]\nkind = 'ternary'", "'tasks.ads.kind' is wrong", "Write one of: binary, multiclass"),
    "unknown type": (
        f"{TASK}[tasks.ads.features]\nprice = {{ type = 'number' }}",
        "'tasks.ads.features.price.type' is wrong",
        "Write one of: float, int",
    ),
    "a type alone": (f"{TASK}[tasks.ads.features]\nprice = 'float'", "'tasks.ads.features.price'", "{ type ="),
    "a task's name": ("[tasks.'My Ads']\nkind = 'binary'", "'tasks.My Ads' is no name for a task", "lower-case"),
    "named twice": (f"{TASK}name = 'ads'", "'tasks.ads.name'", "table's own name"),
    "no shards": (f"{TASK}partitions = 0", "'tasks.ads.partitions'", "a whole number from 1"),
    "a boolean for a number": (f"{TASK}partitions = true", "'tasks.ads.partitions'", "a whole number is expected"),
    "unknown model": (f"{TASK}model = 'logstic'", "'tasks.ads.model'", "Did you mean 'logistic'?"),
    "a model of another kind": (f"{TASK}model = 'linear'", "'tasks.ads.model'", "not for binary tasks"),
    "unknown parameter": (
        f"{TASK}model = {{ use = 'logistic', learning_rat = 1.0 }}",
        "'tasks.ads.model'",
        "Did you mean 'learning_rate'?",
    ),
    "wrong parameter": (
        f"{TASK}model = {{ use = 'logistic', learning_rate = 'x' }}",
        "'tasks.ads.model'",
        "It takes a number.",
    ),
    "no such module": (
        f"{TASK}model = 'nowhere_at_all:make'",
        "cannot be imported: there is no module 'nowhere_at_all'",
        "Put nowhere_at_all.py beside headrace.toml, or install it.",
    ),
    "no such function": (
        f"{TASK}model = 'json:lods'",
        "'tasks.ads.model' is wrong: the module 'json' has no function 'lods'",
        "Did you mean 'loads'?",
    ),
    "a number in quotes": (f"{TASK}partitions = '1'", "'tasks.ads.partitions'", "Write 1, without quotes."),
    "seconds in quotes": (f"[worker]\nsnapshot_seconds = '1.5'\n{TASK}", "'worker.snapshot_seconds'", "Write 1.5, "),
    "a number in quotes within a table": (
        f"{TASK}update = {{ batch = '32' }}",
        "'tasks.ads.update.batch'",
        "Write 32,",
    ),
    "a boolean in quotes": (f"[worker]\nunsigned = 'true'\n{TASK}", "'worker.unsigned'", "Write true, without quotes."),
    "half a record": (f"[worker]\nsnapshot_records = '1.5'\n{TASK}", "'worker.snapshot_records'", "docs/reference.md"),
    "a label's column": (
        f"{TASK}label = 'bought'",
        "'tasks.ads.label' is not a setting",
        "[tasks.TASK.columns] with label",
    ),
    "brokers without kafka://": (
        f"[broker]\nurl = '127.0.0.1:9092'\n{TASK}",
        "'broker.url' is wrong: it is not in the expected form. ",
        "like kafka://127.0.0.1:9092",
    ),
    "a port alone": (
        f"[worker]\nweb = '6066'\n{TASK}",
        "'worker.web' is wrong: it is not in the expected form. ",
        "like 127.0.0.1:6066",
    ),
    "min above max": (
        f"{TASK}[tasks.ads.features]\nprice = {{ min = 2, max = 1 }}",
        "'tasks.ads.features.price' has min 2 above max 1",
        "Exchange",
    ),
    "nan for a bound": (
        f"{TASK}[tasks.ads.features]\nprice = {{ min = nan }}",
        "'tasks.ads.features.price.min'",
        "number",
    ),
    "a range of strings": (
        f"{TASK}[tasks.ads.features]\nc = {{ type = 'string', min = 1 }}",
        "'tasks.ads.features.c'",
        "",
    ),
    "values of numbers": (f"{TASK}[tasks.ads.features]\nc = {{ values = ['a'] }}", "'tasks.ads.features.c'", "values"),
    "labels of two types": (
        '[tasks.ads]\nkind = "multiclass"\nlabels = [1, "1"]',
        "'tasks.ads' is wrong: labels has strings and whole numbers",
        "use one type",
    ),
    "labels of a binary task": (f"{TASK}labels = [1, 2]", "'tasks.ads.labels'", "Leave it out"),
    "unknown key of the features": (f"[features]\nuri = 'x'\n{TASK}", "unknown key 'features.uri'", "'url'"),
    "no Redis": (f"[features]\nurl = 'http://here:1'\n{TASK}", "'features.url' is not redis://", "Percent-encode"),
    "no time to live": (f"[features]\nttl = 'soon'\n{TASK}", "'features.ttl' is wrong: 'soon'", "7d"),
    "nothing to live": (f"[features]\nttl = 0\n{TASK}", "'features.ttl' is wrong", "7d"),
    "no budget": (f"[features]\nbudget_ms = 0\n{TASK}", "'features.budget_ms' is wrong", ""),
    "a stored feature that is not declared": (
        f"{TASK}[tasks.ads.features]\nprice = {{}}\n[tasks.ads.stored]\nclicks = {{ default = 0 }}",
        "'tasks.ads.stored.clicks' is not among the task's features",
        "Declare it",
    ),
    "a stored feature that may be missing and must not": (
        f"{TASK}[tasks.ads.features]\nclicks = {{}}\n[tasks.ads.stored]\nclicks = {{}}",
        "'tasks.ads.stored.clicks' has no default",
        "optional",
    ),
    "a default that the feature cannot have": (
        f"{TASK}[tasks.ads.features]\nclicks = {{ min = 1 }}\n[tasks.ads.stored]\nclicks = {{ default = 0 }}",
        "'tasks.ads.stored.clicks.default' is wrong",
        "range",
    ),
    "a default that is not finite": (
        f"{TASK}[tasks.ads.stored]\nclicks = {{ default = nan }}",
        "'tasks.ads.stored.clicks.default' is wrong",
        "finite",
    ),
    "a stored feature without a name": (f"{TASK}[tasks.ads.stored]\n'' = {{}}", "is no name for a feature", "1 to 256"),
    "not TOML": ("[tasks", "is not TOML", "Correct that line"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_by_file_key_and_remedy(tmp_path, name):
    text, key, remedy = WRONG[name]
    with pytest.raises(SettingsError) as caught:
        settings_of(tmp_path, text)
    message = str(caught.value)
    assert "headrace.toml" in message
    assert key in message
    assert remedy in message
    assert foreign(message) is None
    assert caught.value.remedy


@pytest.mark.parametrize(
    "url", ["redis://:pa/ss-secret@here", "redis://:ss-secret@here:x", "http://:ss-secret@here", "redis://:ss-secret@"]
)
def test_a_redis_url_that_is_wrong_is_refused_without_a_word_of_its_password(tmp_path, url):
    with pytest.raises(SettingsError) as caught:
        settings_of(tmp_path, f"[features]\nurl = '{url}'\n{TASK}")
    assert "ss-secret" not in str(caught.value)


def test_where_stored_features_are_kept_is_read_and_shown_without_a_password(tmp_path):
    text = f"[features]\nurl = 'rediss://me:secret@cache:6380/2'\nttl = '7d'\nbudget_ms = 10\n{TASK}"
    features = settings_of(tmp_path, text).features
    assert (features.ttl_seconds, features.budget_ms, features.shown) == (604_800, 10, "rediss://cache:6380/2")
    features = settings_of(tmp_path, TASK).features
    assert (features.ttl_seconds, features.budget_ms, features.shown) == (None, 5, "embedded")


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, pretty_repr])
def test_no_form_of_the_settings_shows_the_password_of_redis(tmp_path, show):
    url = "redis://me:ss-secret@cache:6380/2?password=ss-secret"
    settings = settings_of(tmp_path, f"[features]\nurl = '{url}'\n{TASK}")
    for one in (settings, settings.features):
        assert "cache:6380/2" in show(one)
        assert "ss-secret" not in show(one)
    assert settings.features.url == url
    assert show(settings_of(tmp_path, TASK).features) == "Features(url=None, ttl=None, budget_ms=5.0)"


def test_stored_features_do_not_change_how_a_task_folds(tmp_path):
    plain = settings_of(tmp_path, TASK).tasks["ads"]
    stored = settings_of(tmp_path, f"{TASK}[tasks.ads.stored]\nclicks = {{ default = 0 }}").tasks["ads"]
    assert stored.stored["clicks"].default == 0
    assert define(stored) == define(plain)


def test_what_columns_are_for_does_not_change_how_a_task_folds(tmp_path):
    bare = settings_of(tmp_path, TASK).tasks["ads"]
    columns = '[tasks.ads.columns]\nlabel = "sold"\npositive = "yes"\ndecimal = ","\ndates = { when = "d/m/y" }\n'
    with_columns = settings_of(tmp_path, TASK + columns).tasks["ads"]
    assert (with_columns.columns.label, with_columns.columns.dates) == ("sold", {"when": "d/m/y"})
    assert define(with_columns) == define(bare)


def test_a_file_that_is_not_there_is_named_with_how_to_make_one(tmp_path):
    with pytest.raises(SettingsError, match=r"other\.toml is not there.*headrace init"):
        load(str(tmp_path / "other.toml"))


def test_the_environment_names_the_file_unless_the_command_does(tmp_path, monkeypatch):
    for name in ("one", "two"):
        (tmp_path / f"{name}.toml").write_text(f"[tasks.{name}]\nkind = 'binary'\n")
    monkeypatch.setenv("HEADRACE_CONFIG", str(tmp_path / "one.toml"))
    assert list(load().tasks) == ["one"]
    assert list(load(str(tmp_path / "two.toml")).tasks) == ["two"]


def test_a_model_of_ones_own_is_found_beside_the_settings(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside_the_settings.py").write_text(
        "from river import linear_model\ndef make():\n    return linear_model.LogisticRegression()\n"
    )
    settings = settings_of(tmp_path, f"{TASK}model = 'beside_the_settings:make'")
    assert settings.tasks["ads"].model_name == "beside_the_settings:make"


def test_the_key_that_signs_snapshots_is_read_from_its_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("HEADRACE_SNAPSHOT_KEY", raising=False)
    assert settings_of(tmp_path, TASK).snapshot_key() is None
    monkeypatch.setenv("HEADRACE_SNAPSHOT_KEY", "e" * 32)
    assert settings_of(tmp_path, TASK).snapshot_key() == b"e" * 32
    for empty in ("", " \n"):
        monkeypatch.setenv("HEADRACE_SNAPSHOT_KEY", empty)
        with pytest.raises(SettingsError, match="'HEADRACE_SNAPSHOT_KEY' is empty"):
            settings_of(tmp_path, TASK).snapshot_key()
    monkeypatch.delenv("HEADRACE_SNAPSHOT_KEY")
    settings = settings_of(tmp_path, f"[worker]\nsnapshot_key_file = 'key'\n{TASK}")
    with pytest.raises(SettingsError, match=r"worker\.snapshot_key_file.*cannot be read"):
        settings.snapshot_key()
    (tmp_path / "key").write_text("\n")
    with pytest.raises(SettingsError, match="is empty"):
        settings.snapshot_key()
    (tmp_path / "key").write_text("f" * 31)
    with pytest.raises(SettingsError, match="the snapshot key has 31 bytes, and could be guessed") as refusal:
        settings.snapshot_key()
    assert "32 bytes or more" in refusal.value.remedy
    (tmp_path / "key").write_text("f" * 32 + "\n")
    assert settings.snapshot_key() == b"f" * 32
    monkeypatch.setenv("HEADRACE_SNAPSHOT_KEY", "e" * 32)
    assert settings.snapshot_key() == b"f" * 32, "the file goes before the environment"


SECRETS = [
    ("group_secret_file", "HEADRACE_GROUP_SECRET", "group_secret"),
    ("snapshot_key_file", "HEADRACE_SNAPSHOT_KEY", "snapshot_key"),
]


@pytest.mark.parametrize(("name", "variable", "read"), SECRETS)
@pytest.mark.parametrize("empty", ["", " \n"])
def test_an_empty_secret_in_the_environment_is_an_error_beside_a_file_too(
    tmp_path, monkeypatch, name, variable, read, empty
):
    (tmp_path / "secret").write_text("f" * 32)
    settings = settings_of(tmp_path, f"[worker]\n{name} = 'secret'\n{TASK}")
    monkeypatch.setenv(variable, empty)
    with pytest.raises(SettingsError, match=f"'{variable}' is empty"):
        getattr(settings, read)()


@pytest.mark.parametrize(("name", "variable", "read"), SECRETS)
def test_a_secret_is_as_long_as_its_bytes(tmp_path, monkeypatch, name, variable, read):
    (tmp_path / "secret").write_text("é" * 15 + "f")
    for settings in (settings_of(tmp_path, TASK), settings_of(tmp_path, f"[worker]\n{name} = 'secret'\n{TASK}")):
        monkeypatch.setenv(variable, "é" * 15 + "f")
        with pytest.raises(SettingsError, match="has 31 bytes"):
            getattr(settings, read)()
    monkeypatch.setenv(variable, "é" * 16)
    assert getattr(settings_of(tmp_path, TASK), read)() == "é".encode() * 16
    monkeypatch.setenv(variable, os.fsdecode(b"\xff" * 32))
    assert getattr(settings_of(tmp_path, TASK), read)() == b"\xff" * 32, "bytes that are no text"


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Return settings with both secrets in files that only their owner can read."""
    for variable in ("HEADRACE_GROUP_SECRET", "HEADRACE_SNAPSHOT_KEY", "HEADRACE_KEYS"):
        monkeypatch.delenv(variable, raising=False)
    for name, letter in (("group", "g"), ("snapshots", "s")):
        (tmp_path / name).write_text(letter * 32)
        (tmp_path / name).chmod(0o600)
    return settings_of(tmp_path, f"[worker]\ngroup_secret_file = 'group'\nsnapshot_key_file = 'snapshots'\n{TASK}")


def warned(settings):
    """Return the warnings of a starting worker, which `headrace doctor` notes in the same words."""
    with structlog.testing.capture_logs() as lines:
        warn_of_doors(settings, doors_of(settings, ()))
    findings = [finding for finding in check_settings(settings) if finding.check != "settings"]
    assert [(line["event"], line["remedy"]) for line in lines] == [
        (finding.what, finding.remedy) for finding in findings
    ]
    assert all(line["log_level"] == "warning" for line in lines)
    assert all((finding.check, finding.status) == ("secrets", "note") for finding in findings)
    return [finding.what for finding in findings]


def test_of_secrets_that_are_kept_well_there_is_no_warning(kept):
    assert warned(kept) == []


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
@pytest.mark.parametrize("mode", [stat.S_IRGRP, stat.S_IWGRP, stat.S_IROTH, stat.S_IWOTH])
def test_of_files_that_others_can_read_or_write_there_is_one_warning(kept, mode):
    (kept.folder / "snapshots").chmod(0o600 | mode)
    (what,) = warned(kept)
    assert ("worker.snapshot_key_file" in what, "worker.group_secret_file" in what) == (True, False)
    (kept.folder / "group").chmod(0o600 | mode)
    (what,) = warned(kept)
    assert ("worker.snapshot_key_file" in what, "worker.group_secret_file" in what) == (True, True)


def test_of_one_secret_for_two_purposes_there_is_a_warning_that_does_not_tell_it(kept):
    (kept.folder / "snapshots").write_text("g" * 32 + "\n")
    (what,) = warned(kept)
    assert "the group secret is the snapshot key too" in what
    assert "g" * 32 not in what


def test_of_unsigned_beside_a_key_there_is_a_warning(tmp_path, monkeypatch):
    for variable in ("HEADRACE_GROUP_SECRET", "HEADRACE_SNAPSHOT_KEY", "HEADRACE_KEYS"):
        monkeypatch.delenv(variable, raising=False)
    settings = settings_of(tmp_path, f"[worker]\nunsigned = true\n{TASK}")
    assert warned(settings) == []
    monkeypatch.setenv("HEADRACE_SNAPSHOT_KEY", "e" * 32)
    assert warned(settings) == ["worker.unsigned has no effect beside a snapshot key"]


@pytest.mark.parametrize("url", ["mill:9092", "127.0.0.1:9092,10.0.0.1:9092"])
def test_a_broker_that_others_reach_needs_a_snapshot_key_or_a_word_that_there_is_none(tmp_path, monkeypatch, url):
    monkeypatch.delenv("HEADRACE_SNAPSHOT_KEY", raising=False)
    head = f"[broker]\nurl = 'kafka://{url}'\n"
    with pytest.raises(SettingsError, match="there is no snapshot key") as refusal:
        settings_of(tmp_path, head + TASK).check_signed()
    assert "worker.unsigned = true" in refusal.value.remedy
    settings_of(tmp_path, f"{head}[worker]\nunsigned = true\n{TASK}").check_signed()
    monkeypatch.setenv("HEADRACE_SNAPSHOT_KEY", "e" * 32)
    settings_of(tmp_path, head + TASK).check_signed()


@pytest.mark.parametrize("url", ["127.0.0.1:9092", "localhost:1,[::1]:2"])
def test_a_broker_on_this_machine_alone_needs_none(tmp_path, monkeypatch, url):
    monkeypatch.delenv("HEADRACE_SNAPSHOT_KEY", raising=False)
    settings_of(tmp_path, f"[broker]\nurl = 'kafka://{url}'\n{TASK}").check_signed()
    settings_of(tmp_path, TASK).check_signed()
