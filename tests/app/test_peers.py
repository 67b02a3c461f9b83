"""Peers: the addresses of owners that a worker asks."""

import pytest

from headrace.app.peers import Address, Peers
from headrace.app.settings import parse
from headrace.learning.errors import SettingsError

NO_ADDRESS = [
    "", "127.0.0.1:80", "http://127.0.0.1", "http://127.0.0.1:", "http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:080",
    "http://127.0.0.1:80/", "http://127.0.0.1:80/v1", "http://127.0.0.1:80?", "http://127.0.0.1:80?x=", "http://127.0.0.1:80#",
    "http://user@127.0.0.1:80", "http://user:word@127.0.0.1:80", "http://127.0.0.1:80@evil.example:80", "http://evil.example\\@127.0.0.1:80",
    "http://127.0.0.1:80\n", " http://127.0.0.1:80", "http://127.0.0.1 :80", "http://127.0.0.1:80\r\nX: y", "http:// :80", "http://:80",
    "HTTP://127.0.0.1:80", "ftp://127.0.0.1:80", "file:///etc/passwd", "unix:///run/x:80", "http:/127.0.0.1:80", "http:127.0.0.1:80",
    "http://[127.0.0.1]:80", "http://[::1:80", "http://::1:80", "http://[::1%25eth0]:80", "http://[1]:80", "http://-a:80",
    "http://a%2eb:80", "http://ä.example:80", "http://127.0.0.1:८०", "http://a/../b:80", "http://a;b:80", f"http://{'a' * 300}:80",
    "http://a..b:80", "http://.a:80", "http://a.:80", "http://a.b.:80", "http://..:80", "http://_a:80", f"http://{'a' * 64}:80",
    f"http://a.{'b' * 64}.c:80", f"http://{'a.' * 126}bc:80", "http://2130706433:80", "http://0x7f000001:80", "http://0X7F000001:80", "http://10.1:80",
    "http://10.0.1:80", "http://010.0.0.1:80", "http://10.0.0.01:80", "http://0x0a.0.0.1:80", "http://10.0.0.0x1:80", "http://1:80", "http://0:80",
    "http://256.0.0.1:80", "http://1.2.3.4.5:80", "http://0x:80", "http://127.0.0.1.:80",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_what_is_not_scheme_host_and_port_is_not_asked(text):
    with pytest.raises(ValueError, match=r"scheme://host:port"):
        Address.parse(text)
    assert not Peers("http://10.0.0.1:6066").admit(text)


HOSTS = [
    "127.0.0.1", "0.0.0.0", "169.254.169.254", "mill-1.example_org", "[::1]", "[::ffff:10.0.0.1]", "a", "a-", "1a", "0xg", "10.0.0.1.example",
    "0a1b2c3d4e5f", "7.mill", "beef.cafe", "a" * 63, f"{'a.' * 126}b",
]  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_name_or_a_canonical_address_is_a_host(host):
    assert Address.parse(f"http://{host}:80") == Address("http", host, 80)
    assert host.encode("idna") == host.encode(), "socket.getaddrinfo does so, and raises UnicodeError where it cannot"


@pytest.mark.parametrize("text", ["http://127.0.0.1:80", "http://mill-1.example_org:65535", "http://[::1]:6066"])
def test_without_a_list_every_host_of_the_own_scheme_is_asked(text):
    assert Peers("http://10.0.0.1:6066").admit(text)
    assert not Peers("https://10.0.0.1:6066").admit(text)
    assert Peers("https://10.0.0.1:6066").admit(text.replace("http:", "https:"))


@pytest.mark.parametrize(
    ("places", "text", "admitted"),
    [
        ([], "http://mill:80", False),
        (["mill"], "http://mill:80", True),
        (["Mill"], "http://mILL:1234", True),
        (["mill"], "http://mill.example:80", False),
        (["mill:80"], "http://mill:80", True),
        (["mill:80"], "http://mill:8080", False),
        (["10.0.0.0/8"], "http://10.255.0.1:80", True),
        (["10.0.0.0/8"], "http://11.0.0.1:80", False),
        (["10.0.0.0/8"], "http://10.0.0.1.example:80", False),
        (["127.0.0.0/8"], "http://0x7f000001:80", False),
        (["127.0.0.0/8"], "http://127.1:80", False),
        (["127.0.0.0/8"], "http://[::ffff:127.0.0.1]:80", False),
        (["fd00::/8"], "http://[fd12::1]:80", True),
        (["fd00::/8"], "http://[fe80::1]:80", False),
        (["[::1]:80"], "http://[::1]:80", True),
        (["elsewhere", "10.0.0.0/8"], "http://10.0.0.1:80", True),
    ],
)
def test_with_a_list_only_what_lies_in_it_is_asked(places, text, admitted):
    assert Peers("http://10.0.0.1:6066", places).admit(text) is admitted


def settings(tmp_path, **worker):
    return parse({"worker": worker, "tasks": {"ads": {"kind": "binary"}}}, tmp_path / "headrace.toml")


@pytest.mark.parametrize(
    "place",
    [
        "",
        "http://mill:80",
        "mill:0",
        "mill:x",
        "10.0.0.1/8",
        "10.0.0.0/33",
        "mill/8",
        "a b",
        "*.example",
        "a..b",
        "10.1",
        "2130706433:80",
    ],
)
def test_a_place_that_is_none_is_refused_with_its_number(tmp_path, place):
    with pytest.raises(SettingsError, match=r"'worker.peers\[1\]' is wrong") as raised:
        settings(tmp_path, peers=["mill", place])
    assert "10.0.0.0/8" in raised.value.remedy


@pytest.mark.parametrize(
    "address",
    ["http://mill", "mill:80", "http://mill:80/", "https://mill:80/headrace", "http://mill.:80", "http://10.1:80"],
)
def test_the_own_address_has_the_same_form(tmp_path, address):
    with pytest.raises(SettingsError, match="'worker.address' is wrong: not scheme://host:port") as raised:
        settings(tmp_path, address=address)
    assert "http://10.0.0.5:6066" in raised.value.remedy


@pytest.mark.parametrize("web", ["127.1:6066", "a..b:6066", "a/b:6066", "127.0.0.1:06066"])
def test_where_there_is_no_address_it_is_made_of_web_and_has_the_same_form(tmp_path, web):
    with pytest.raises(SettingsError, match="'worker.web' is wrong") as raised:
        settings(tmp_path, web=web)
    assert raised.value.remedy
    assert settings(tmp_path, web=web, address="http://mill:6066").address == "http://mill:6066"
