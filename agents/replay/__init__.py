"""Replay: past states, rebuilt from the event log alone."""

from headrace.agents.replay.replay import Replay, ReplayError

__all__ = ["Replay", "ReplayError"]
