"""The command line as a user calls it, but in this process."""

import sys
from typing import NamedTuple

import pytest

from headrace.app.cli import main


class Called(NamedTuple):
    """The outcome of a command: its exit status and its output."""

    status: int
    out: str
    err: str


@pytest.fixture
def headrace(monkeypatch, capsys):
    """Return a function that calls a command in this process: `headrace("status", "ads")`."""

    def call(*arguments: object) -> Called:
        monkeypatch.setattr(sys, "argv", ["headrace", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Called(ended.value.code or 0, out, err)

    return call
