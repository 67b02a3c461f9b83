"""Which addresses a worker asks: members of the group name their own, and a member may be anyone who can join it."""

import ipaddress
import re
from collections.abc import Iterable
from typing import NamedTuple

LABEL = r"[A-Za-z0-9_-]{1,63}"
HOST = rf"(?P<host>(?=[A-Za-z0-9]){LABEL}(?:\.{LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\])"
HOST_MAX = 253
"""Characters of a name, by the rules of DNS."""

NUMERIC = re.compile(r"(?:[0-9]+|0[Xx][0-9A-Fa-f]*)(?:\.(?:[0-9]+|0[Xx][0-9A-Fa-f]*))*")
"""What a resolver may read as an IPv4 address: `2130706433`, `0x7f.1` and `0177.0.0.1` are all 127.0.0.1 to it."""

ADDRESS = re.compile(rf"(?P<scheme>https?)://{HOST}:(?P<port>[1-9][0-9]{{0,4}})")
PLACE = re.compile(rf"{HOST}(?::(?P<port>[1-9][0-9]{{0,4}}))?")
PORT_MAX = 65_535

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Address(NamedTuple):
    """Where a worker is reached: `scheme://host:port`, and nothing else. An IPv6 host is in brackets."""

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """The address that a text is, exactly; ValueError for any other.

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
        found = ADDRESS.fullmatch(text)
        if found is None or int(found["port"]) > PORT_MAX or not _is_host(found["host"]):
            raise ValueError("not scheme://host:port")
        return cls(found["scheme"], found["host"].lower(), int(found["port"]))


class Place(NamedTuple):
    """An entry of `worker.peers`: a network, or a host with or without a port."""

    network: Network | None = None
    host: str = ""
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Place":
        """The entry that a text is; ValueError for any other.

        Examples
        --------
        >>> Place.parse("10.0.0.0/8").network
        IPv4Network('10.0.0.0/8')
        >>> Place.parse("mill.example:6066")
        Place(network=None, host='mill.example', port=6066)
        """
        if "/" in text:
            return cls(network=ipaddress.ip_network(text))
        found = PLACE.fullmatch(text)
        if found is None or not _is_host(found["host"]) or int(found["port"] or 1) > PORT_MAX:
            raise ValueError("neither host, host:port nor a network like 10.0.0.0/8")
        return cls(host=found["host"].lower(), port=int(found["port"]) if found["port"] else None)

    def holds(self, address: Address) -> bool:
        """Whether an address lies here. No name is resolved: a network holds addresses that are written as numbers."""
        if self.network is None:
            return address.host == self.host and self.port in (None, address.port)
        try:
            return ipaddress.ip_address(address.host.strip("[]")) in self.network
        except ValueError:
            return False


class Peers:
    """Decides whether the address of a member may be asked.

    Parameters
    ----------
    address
        Of this worker: others must have its scheme, so that nobody leads a worker with TLS to one without.
    places
        Entries of `worker.peers`; None allows every host.

    Examples
    --------
    >>> peers = Peers("http://10.0.0.1:6066", ["10.0.0.0/8", "mill.example:6066"])
    >>> [peers.admit(f"http://{place}") for place in ("10.1.2.3:80", "mill.example:6066", "mill.example:80", "elsewhere:80")]
    [True, True, False, False]
    >>> peers.admit("https://10.0.0.2:6066")
    False
    """

    def __init__(self, address: str, places: Iterable[str] | None = None):
        self.scheme = Address.parse(address).scheme
        self.places = None if places is None else [Place.parse(place) for place in places]

    def admit(self, text: str) -> bool:
        """Whether a text is an address that may be asked."""
        try:
            address = Address.parse(text)
        except ValueError:
            return False
        if address.scheme != self.scheme:
            return False
        return self.places is None or any(place.holds(address) for place in self.places)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a host.

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
    """Whether what is in brackets is an IPv6 address, what is numeric an IPv4 address in its one usual spelling, and a name not too long."""
    try:
        if text.startswith("["):
            ipaddress.IPv6Address(text[1:-1])
        elif NUMERIC.fullmatch(text):
            ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return len(text) <= HOST_MAX
