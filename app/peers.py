"""Decides which addresses a worker may ask. Members of the group give their own addresses, and anyone who can join the group is a member."""

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

LABEL = r"[A-Za-z0-9_-]{1,63}"
HOST = rf"(?P<host>(?=[A-Za-z0-9]){LABEL}(?:\.{LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\])"
HOST_MAX = 253
"""The largest number of characters in a host name, by the rules of DNS."""

NUMERIC = re.compile(r"(?:[0-9]+|0[Xx][0-9A-Fa-f]*)(?:\.(?:[0-9]+|0[Xx][0-9A-Fa-f]*))*")
"""The texts that a resolver may read as an IPv4 address: `2130706433`, `0x7f.1` and `0177.0.0.1` are all 127.0.0.1."""

ADDRESS = re.compile(rf"(?P<scheme>https?)://{HOST}:(?P<port>[1-9][0-9]{{0,4}})")
ENTRY = re.compile(rf"{HOST}(?::(?P<port>[1-9][0-9]{{0,4}}))?")
PORT_MAX = 65_535

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Address(NamedTuple):
    """The address of a worker: `scheme://host:port`, and nothing else. An IPv6 host is in brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Parse an address; ValueError if the text is anything else.

        Examples
        --------
        >>> Address.parse("http://mill.example:6066")
        Address(scheme='http', host='mill.example', port=6066)
        >>> Address.parse("http://mill.example:6066/admin")
        Traceback (most recent call last):
        ...
        ValueError: not scheme://host:port
        >>> Address.parse("http://2130706433:6066")
        Traceback (most recent call last):
        ...
        ValueError: not scheme://host:port
        """
        match = ADDRESS.fullmatch(text)
        if match is None or int(match["port"]) > PORT_MAX or not _is_host(match["host"]):
            raise ValueError("not scheme://host:port")
        return cls(match["scheme"], match["host"].lower(), int(match["port"]))


class PeerEntry(NamedTuple):
    """An entry of `worker.peers`: a network, or a host with or without a port."""

    network: Network | None = None
    host: str = ""
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "PeerEntry":
        """Parse an entry; ValueError if the text is neither a network nor a host.

        Examples
        --------
        >>> PeerEntry.parse("10.0.0.0/8").network
        IPv4Network('10.0.0.0/8')
        >>> PeerEntry.parse("mill.example:6066")
        PeerEntry(network=None, host='mill.example', port=6066)
        """
        if "/" in text:
            return cls(network=ipaddress.ip_network(text))
        match = ENTRY.fullmatch(text)
        if match is None or not _is_host(match["host"]) or int(match["port"] or 1) > PORT_MAX:
            raise ValueError("neither host, host:port nor a network like 10.0.0.0/8")
        return cls(host=match["host"].lower(), port=int(match["port"]) if match["port"] else None)

    def allows(self, address: Address) -> bool:
        """Say whether the entry allows an address. No name is resolved: a network contains only addresses that are written as numbers."""
        if self.network is None:
            return address.host == self.host and self.port in (None, address.port)
        try:
            return ipaddress.ip_address(address.host.strip("[]")) in self.network
        except ValueError:
            return False


class Peers:
    """Decides whether a worker may ask the address of a member.

    Parameters
    ----------
    address
        The address of this worker. Other addresses must have its scheme, so that nobody leads a worker with TLS to one without.
    entries
        The entries of `worker.peers`; None allows every host.

    Examples
    --------
    >>> peers = Peers("http://10.0.0.1:6066", ["10.0.0.0/8", "mill.example:6066"])
    >>> [peers.admit(f"http://{host}") for host in ("10.1.2.3:80", "mill.example:6066", "mill.example:80", "elsewhere:80")]
    [True, True, False, False]
    >>> peers.admit("https://10.0.0.2:6066")
    False
    """

    def __init__(self, address: str, entries: Iterable[str] | None = None):
        self.scheme = Address.parse(address).scheme
        self.entries = None if entries is None else [PeerEntry.parse(entry) for entry in entries]

    def admit(self, text: str) -> bool:
        """Say whether a text is an address that the worker may ask."""
        try:
            address = Address.parse(text)
        except ValueError:
            return False
        if address.scheme != self.scheme:
            return False
        return self.entries is None or any(entry.allows(address) for entry in self.entries)


def is_loopback(host: str) -> bool:
    """Say whether a host can be reached only from this machine.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "mill.example")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _is_host(text: str) -> bool:
    """Say whether a text is an IPv6 address in brackets, an IPv4 address in its usual form, or a name that is not too long."""
    try:
        if text.startswith("["):
            ipaddress.IPv6Address(text[1:-1])
        elif NUMERIC.fullmatch(text):
            ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return len(text) <= HOST_MAX
