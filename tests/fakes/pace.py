"""A pace with which tests do not wait."""

from headrace.agents.pace import Pace

QUICK = Pace(
    watch_shards=0.005,
    stuck=0.0,  # nothing is delivered to a shard in memory: it reads all from the log
    look_up_ends=0.02,
    retry=0.02,
)
"""The pace of workers around logs and changelogs in memory."""
