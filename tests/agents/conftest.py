"""What the tests of the agents share."""

import pytest
from worlds import world_in


@pytest.fixture
def world(tmp_path):
    return world_in(tmp_path)
