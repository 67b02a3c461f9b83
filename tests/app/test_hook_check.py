"""`headrace doctor` finds out whether the hook of `[notify]` can take signals, within a bound of time, and shows no secret."""

import socket
import sys
import time

import pytest

from headrace.app import hook_check
from headrace.app.cli.doctor import CHECKS
from headrace.app.hook_check import check_hook
from headrace.app.settings import parse


@pytest.fixture
def found(tmp_path):
    """Check a table `notify`."""

    def check(notify):
        raw = {"tasks": {"ads": {"kind": "binary"}}} | ({} if notify is None else {"notify": notify})
        return list(check_hook(parse(raw, tmp_path / "headrace.toml", check_models=False)))

    return check


def test_doctor_makes_the_check():
    assert check_hook in CHECKS


def test_without_a_hook_there_is_nothing_to_say(found):
    assert found(None) == []


def test_a_command_is_looked_for_where_the_worker_does(found, tmp_path):
    (tmp_path / "tell.sh").write_text("#!/bin/sh\n")
    (plain,) = found({"command": ["./tell.sh", "now"]})
    assert (plain.status, "may not be run" in plain.what, "chmod +x" in plain.remedy) == ("fault", True, True)
    (tmp_path / "tell.sh").chmod(0o755)
    for program in ("./tell.sh", "sh", sys.executable):
        (fine,) = found({"command": [program]})
        assert fine.status == "ok", fine
    for program, why in (("./nothing.sh", "there is no file"), ("no-such-program", "is not in PATH")):
        (missing,) = found({"command": [program]})
        assert (missing.status, why in missing.what, bool(missing.remedy)) == ("fault", True, True)


def test_a_url_is_connected_to_and_its_secret_is_not_shown(found):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        url = f"http://me:ss-secret@127.0.0.1:{port}/ss-secret?token=ss-secret"
        (fine,) = found({"url": url})
    (away,) = found({"url": url})
    assert (fine.status, away.status) == ("ok", "fault")
    assert f"127.0.0.1:{port} cannot be reached: Connection refused" in away.what
    assert "ss-secret" not in f"{fine} {away}"


def test_neither_a_url_nor_a_command_is_a_fault_and_so_is_a_wrong_url_of_the_environment(found, monkeypatch):
    monkeypatch.delenv("HEADRACE_NOTIFY_URL", raising=False)
    assert [one.status for one in found({})] == ["fault"]
    monkeypatch.setenv("HEADRACE_NOTIFY_URL", "ftp://ss-secret")
    (wrong,) = found({})
    assert (wrong.status, "ss-secret" in str(wrong)) == ("fault", False)


def test_a_host_that_does_not_answer_takes_no_longer_than_the_bound(found, monkeypatch):
    """Neither the look-up of its name, which has no timeout, nor the connection."""
    monkeypatch.setattr(hook_check, "CONNECT_SECONDS", 0.2)

    def connect(*_, **__):
        time.sleep(5)
        raise OSError("too late")

    monkeypatch.setattr(hook_check.socket, "create_connection", connect)
    (late,) = found({"url": "https://slow.example/hook"})
    assert (late.status, late.what) == ("fault", "slow.example:443 cannot be reached: no answer within 0.2 s")
