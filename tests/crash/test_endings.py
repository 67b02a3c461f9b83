"""A worker ends in time, whatever is in the way: some of the states of `make endings`."""

import endings
import harness
import pytest
from thorough import only_thorough

STATES = ["broker_killed", "model_never_returns", "model_exits", "stderr_reader_gone"]


@pytest.mark.skipif(not harness.has_kafka(), reason="a real Kafka is killed and paused")
@only_thorough
def test_a_worker_ends_in_whatever_state_it_is():
    assert endings.run(len(STATES), 3, STATES)
