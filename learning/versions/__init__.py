"""Versions: models of a shard that were saved, to go back to."""

from headrace.learning.versions.index import ENOUGH, FOUND, Reason, Version, VersionIndex, shard_of

__all__ = ["ENOUGH", "FOUND", "Reason", "Version", "VersionIndex", "shard_of"]
