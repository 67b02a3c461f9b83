"""The availability run, short: a client that tries the other worker has every question answered while workers are killed and ended."""

import asyncio

import availability
import pytest
from thorough import only_thorough


@pytest.mark.parametrize(
    ("static", "kills", "signals"),
    [pytest.param(True, 5, ["SIGKILL", "SIGTERM"], marks=only_thorough), (False, 2, ["SIGKILL"])],
)
def test_every_question_is_answered_while_workers_are_killed(broker, tmp_path, static, kills, signals):
    run = availability.measure(broker, tmp_path, kills=kills, rate=200.0, seed=3, static=static, signals=signals)
    client = asyncio.run(run)
    print(client.figures())
    assert client.failed == []
    assert len(client.answered) > 1000
    assert any(answered.workers > 1 for answered in client.answered)  # a worker was gone while it was asked
    assert all(answered.staleness >= 0 for answered in client.answered)
