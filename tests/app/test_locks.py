"""The checks that a worker makes before it joins its group: its folder and its port are free."""

import os
import socket

import pytest
from harness import free_port

from headrace.app.locks import check_port, lock_folder
from headrace.learning.errors import SettingsError


def test_a_folder_is_one_worker_s_until_it_ends(tmp_path):
    first = lock_folder(tmp_path / "data")
    with pytest.raises(SettingsError, match=f"process {os.getpid()}.*worker.datadir"):
        lock_folder(tmp_path / "data")
    first.close()
    lock_folder(tmp_path / "data").close()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "data").write_text("a file")
    with pytest.raises(SettingsError, match="data cannot be written"):
        lock_folder(tmp_path / "data")


def test_an_address_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port}: .*worker.web"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", free_port())
