"""The files of the page: read once, when a worker starts, and named by one digest of them all."""

import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import NamedTuple

TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8",
}
"""The content type of a file, by the end of its name."""

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"
"""The Content-Security-Policy of every part of the page: no script or style in the HTML, and nothing from another server."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

VENDORED = "uplot.js"
"""The script that is not ours: it is sent as it was published."""

COMMENT = re.compile(rb"^ *(?://|/\*\*).*", re.MULTILINE)
"""A line of a script that is a comment. It is sent empty, so that a browser counts the lines as the source has them."""

FOREVER = "public, max-age=31536000, immutable"


class Asset(NamedTuple):
    """A file as it is sent."""

    body: bytes
    content_type: str


class Assets:
    """Holds the static files, which any caller may have: they say nothing of a task. Our scripts are sent without their comments.

    Attributes
    ----------
    digest
        Of all files. It is part of each path, so a browser keeps a file for good, and asks for another one after an upgrade.

    Examples
    --------
    >>> assets = Assets()
    >>> len(assets.digest), assets.files["icon.svg"].content_type
    (16, 'image/svg+xml')
    """

    def __init__(self) -> None:
        folder = files(__package__) / "static"
        read = {entry.name: _sent(entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.is_file()}
        self.files = {name: Asset(body, TYPES[name.rpartition(".")[2]]) for name, body in sorted(read.items())}
        summed = hashlib.sha256()
        for name, asset in self.files.items():
            summed.update(b"%s\0%d\0%s" % (name.encode(), len(asset.body), asset.body))
        self.digest = summed.hexdigest()[:16]


def _sent(name: str, body: bytes) -> bytes:
    return COMMENT.sub(b"", body) if name.endswith(".js") and name != VENDORED else body
