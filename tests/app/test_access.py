"""Access: the API key and the TLS context with which a command asks a worker."""

import ssl

from certificates import make_certificates

from headrace.app.access import Access
from headrace.app.settings import parse


def test_access_is_of_the_environment_and_the_settings(tmp_path, monkeypatch):
    files = make_certificates(tmp_path)
    tls = {"cert": files.cert.name, "key": files.key.name, "ca": files.ca.name}
    monkeypatch.setenv("HEADRACE_KEY", "grain")
    tasks = {"ads": {"kind": "binary"}}
    settings = parse({"worker": {"tls": tls}, "tasks": tasks}, tmp_path / "headrace.toml")
    access = settings.access()
    assert settings.address == "https://127.0.0.1:6066"
    assert access.headers == {"Authorization": "Bearer grain"}
    assert access.tls.verify_mode == ssl.CERT_REQUIRED
    assert access.tls.check_hostname
    assert len(access.tls.get_ca_certs()) == 1
    assert "grain" not in repr(access)
    monkeypatch.delenv("HEADRACE_KEY")
    assert parse({"tasks": tasks}, tmp_path / "headrace.toml").access() == Access()
