"""What the tests of the agents share."""

import pytest
from worlds import world_in


@pytest.fixture
def world(tmp_path, monkeypatch):
    return world_in(tmp_path, monkeypatch)
