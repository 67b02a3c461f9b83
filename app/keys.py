"""API keys and their roles. Only the SHA-256 of a key is stored, so neither a file nor this process can reveal a key."""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from typing import Literal, get_args

import msgspec

from headrace.learning.errors import SettingsError

Role = Literal["predict", "feedback", "admin"]
"""`predict` asks models and reads; `feedback` sends samples, labels and features; `admin` may do everything, and only `admin` may command."""

ROLES: tuple[Role, ...] = get_args(Role)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,62}")
DIGEST = re.compile(r"[0-9a-f]{64}")
FORM = "Write: NAME ROLE[,ROLE] SHA-256-OF-THE-KEY [REQUESTS-A-SECOND]. `headrace key` makes one."


class ApiKey(msgspec.Struct, frozen=True):
    """An API key: its name, its roles, its digest, and its requests a second (None: the default)."""

    name: str
    roles: frozenset[str]
    digest: bytes
    rate: float | None = None

    def may(self, role: Role) -> bool:
        """Say whether this key has a role. `admin` has all roles."""
        return role in self.roles or "admin" in self.roles


class ApiKeys:
    """The API keys that a worker knows.

    Examples
    --------
    >>> line = f"phone predict,feedback {digest_of('secret').hex()} 50"
    >>> keys = ApiKeys(parse_keys(line, "keys"))
    >>> key = keys.find("secret")
    >>> key.name, key.may("predict"), key.may("admin"), key.rate
    ('phone', True, False, 50.0)
    >>> keys.find("guess") is None
    True
    """

    def __init__(self, keys: Iterable[ApiKey] = ()):
        self._keys = list(keys)
        for number, key in enumerate(self._keys):
            if any(key.name == other.name or key.digest == other.digest for other in self._keys[:number]):
                raise SettingsError(
                    f"the key '{key.name}' stands twice, by its name or itself.", "Give each its own name and key."
                )

    def find(self, secret: str) -> ApiKey | None:
        """Find the key with this secret; None if there is none. The time reveals nothing, since every digest is compared as a whole."""
        digest, matching = digest_of(secret), None
        for key in self._keys:
            if hmac.compare_digest(key.digest, digest):
                matching = key
        return matching

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def digest_of(secret: str) -> bytes:
    """Return the digest under which a key is stored. One SHA-256 is enough for a key, which is long and random; a password would need more."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def parse_keys(text: str, where: str) -> list[ApiKey]:
    """Parse a text with one key a line: name, roles, SHA-256 as hex, and optionally a rate. `#` begins a comment.

    Raises
    ------
    SettingsError
        A line is wrong. The text names `where` and the line, and never quotes the line, which may contain a key by mistake.
    """
    keys: list[ApiKey] = []
    for number, line in enumerate(text.splitlines(), 1):
        parts = line.partition("#")[0].split()
        if not parts:
            continue
        at = f"{where}, line {number}"
        if len(parts) not in (3, 4):
            raise SettingsError(f"{at} has {len(parts)} parts.", FORM)
        keys.append(ApiKey(_name(parts[0], at), _roles(parts[1], at), _digest(parts[2], at), _rate(parts[3:], at)))
    return keys


def _name(part: str, at: str) -> str:
    if not NAME.fullmatch(part):
        raise SettingsError(f"{at} has no name.", "Use up to 63 letters, digits, '.', '_', '@' and '-'.")
    return part


def _roles(part: str, at: str) -> frozenset[str]:
    roles = frozenset(part.split(","))
    if not roles <= set(ROLES):
        raise SettingsError(f"{at} has a role that is not one of {', '.join(ROLES)}.", FORM)
    return roles


def _digest(part: str, at: str) -> bytes:
    if not DIGEST.fullmatch(part):
        raise SettingsError(f"{at} has no SHA-256 in 64 lower-case hex digits.", FORM)
    return bytes.fromhex(part)


def _rate(parts: list[str], at: str) -> float | None:
    if not parts:
        return None
    if not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", parts[0]) or not float(parts[0]):
        raise SettingsError(f"{at} has no rate above 0.", FORM)
    return float(parts[0])
