"""Hooks: a real HTTP server and a real command; what they get, and what is told when they fail."""

import asyncio
import json
import sys
import tomllib

import pytest
import uvloop
from harness import free_port
from hook_server import serving_hook

from headrace.agents.notifier import HookError
from headrace.app.hooks import make_hook
from headrace.app.settings import parse
from headrace.learning.errors import SettingsError

SIGNAL = {"effect": "alert", "id": "ads/3/7/0/0", "code": "drift", "detail": "it rose", "time": 1.0}


def settings(folder, notify):
    raw = tomllib.loads(f'[notify]\n{notify}\n[tasks.ads]\nkind = "binary"\n')
    return parse(raw, folder / "headrace.toml")


def send(folder, notify):
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as in a worker
        runner.run(make_hook(settings(folder, notify))(SIGNAL))


def test_a_webhook_gets_the_signal_and_a_text(tmp_path):
    with serving_hook() as hook:
        send(tmp_path, f'url = "{hook.address}/x"')
        (got,) = hook.got
    assert got["text"] == "Headrace ads/3: alert drift: it rose"
    assert (got["id"], got["task"], got["partition"], got["kind"]) == ("ads/3/7/0/0", "ads", 3, "alert")
    assert got["signal"] == SIGNAL
    assert got["authorization"] is None


@pytest.mark.parametrize(
    ("status", "passing"), [(500, True), (503, True), (429, True), (408, True), (404, False), (302, False)]
)
def test_a_status_says_whether_to_try_again_and_a_redirect_is_not_followed(tmp_path, status, passing):
    with serving_hook() as hook:
        hook.answers = [status]
        with pytest.raises(HookError, match=str(status)) as raised:
            send(tmp_path, f'url = "{hook.address}/x"')
        assert [one["path"] for one in hook.got] == ["/x"]
    assert raised.value.passing == passing


def test_a_hook_that_is_away_or_hangs_is_tried_again_and_its_secret_is_not_told(tmp_path):
    for address in (f"http://127.0.0.1:{free_port()}", None):
        with serving_hook() as hook:
            hook.open.clear()
            with pytest.raises(HookError) as raised:
                send(tmp_path, f'url = "{address or hook.address}/hidden"\ntimeout = 0.2')
        assert raised.value.passing
        assert "hidden" not in str(raised.value)


def command(code):
    return f"command = {json.dumps([sys.executable, '-c', code, '$HOME; echo'])}"


def test_a_command_gets_the_signal_on_stdin_without_a_shell_or_a_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("HEADRACE_SNAPSHOT_KEY", "hidden")
    code = "import json, os, sys; json.dump([json.load(sys.stdin), sys.argv[1:], dict(os.environ)], open('got', 'w'))"
    send(tmp_path, command(code))
    got, arguments, environment = json.loads((tmp_path / "got").read_text())
    assert got["signal"] == SIGNAL
    assert arguments == ["$HOME; echo"]
    assert "PATH" in environment
    assert "hidden" not in environment.values()


@pytest.mark.parametrize(
    ("code", "what"),
    [("import sys; sys.exit(3)", "status 3"), ("import time; time.sleep(600)", "not ended within 0.5 s")],
)
def test_a_command_that_fails_or_hangs_is_run_again(tmp_path, code, what):
    with pytest.raises(HookError, match=what) as raised:
        send(tmp_path, command(code) + "\ntimeout = 0.5")
    assert raised.value.passing


def test_a_command_need_not_read_the_signal(tmp_path):
    for _ in range(20):
        send(tmp_path, 'command = ["true"]')


def test_a_command_that_is_not_there_is_told(tmp_path):
    with pytest.raises(HookError, match="No such file"):
        send(tmp_path, 'command = ["/nowhere/at/all"]')


def test_the_url_may_come_from_the_environment(tmp_path, monkeypatch):
    with serving_hook() as hook:
        monkeypatch.setenv("HEADRACE_NOTIFY_URL", f"{hook.address}/secret")
        send(tmp_path, "timeout = 5")
        assert [one["path"] for one in hook.got] == ["/secret"]


@pytest.mark.parametrize(
    ("notify", "what"),
    [
        ("timeout = 5", "neither a url nor a command"),
        ('url = "ftp://hidden/x"', "http://"),
        ('url = "http:///hidden"', "http://"),
        ('url = "http://h:99999/hidden"', "http://"),
        ('url = "http://h/a b hidden"', "http://"),
        ('url = "http://h"\ncommand = ["x"]', "a url and a command"),
        ("command = []", "a list of at least 1 element is expected"),
        ('command = ["x"]\nkinds = ["alerts"]', "alert"),
        ('command = ["x"]\ntasks = ["adz"]', "names no task: 'adz'"),
        ('command = ["x"]\ntimeout = 0', "timeout"),
        ('command = ["x"]\nurls = "x"', "Did you mean 'url'"),
    ],
)
def test_wrong_settings_are_refused_without_showing_the_url(tmp_path, notify, what):
    with pytest.raises(SettingsError) as raised:
        make_hook(settings(tmp_path, notify))
    assert what in str(raised.value)
    assert "hidden" not in str(raised.value)


def test_the_url_is_not_shown(tmp_path):
    assert "hidden" not in repr(settings(tmp_path, 'url = "http://h/hidden"'))


def test_the_command_line_sends_a_test_message(tmp_path, headrace):
    file = tmp_path / "headrace.toml"
    file.write_text('[tasks.ads]\nkind = "binary"\n')
    assert "has no [notify]" in headrace("notify", "--test", "--config", file).err
    with serving_hook() as hook:
        file.write_text(f'[notify]\nurl = "{hook.address}"\n[tasks.ads]\nkind = "binary"\n')
        assert headrace("notify", "--test", "--config", file) == (0, "The hook has taken the test message.\n", "")
        assert "headrace notify --test" in hook.got[0]["text"]
        hook.answers = [404]
        refused = headrace("notify", "--test", "--config", file)
        assert refused.status == 1
        assert "the hook answers 404" in refused.err
