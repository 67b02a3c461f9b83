"""The command line as a user calls it, but in this process."""

import sys
from typing import NamedTuple

import pytest

from headrace.app.cli import main


class Called(NamedTuple):
    """What a command came to."""

    status: int
    out: str
    err: str


@pytest.fixture
def headrace(monkeypatch, capsys):
    """Call a command: `headrace("status", "ads")`; its exit status, and what it wrote."""

    def call(*arguments: object) -> Called:
        monkeypatch.setattr(sys, "argv", ["headrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Called(ended.value.code or 0, out, err)

    return call
