"""What the commands that look into the past say when they fail."""

import asyncio

import pytest
from aiokafka.errors import NotEnoughReplicasError

from headrace.app.cli.past import look_back
from headrace.app.settings import load
from headrace.learning.errors import BrokerError


def test_a_broker_that_takes_nothing_is_not_said_to_be_unreadable(tmp_path, monkeypatch):
    async def fill(tell):
        await asyncio.sleep(0)
        raise NotEnoughReplicasError

    monkeypatch.setattr("headrace.app.cli.past.fix_hash_seed", lambda: None)
    (tmp_path / "headrace.toml").write_text('[tasks.ads]\nkind = "binary"\n')
    with pytest.raises(BrokerError, match="the broker at .* failed: not enough replicas"):
        look_back(load(str(tmp_path / "headrace.toml")), fill, "replay ads into other")
