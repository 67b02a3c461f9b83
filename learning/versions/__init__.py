"""Versions: models of a shard that were saved, to go back to."""

from headrace.learning.versions.index import ENOUGH, Reason, Version, VersionIndex

__all__ = ["ENOUGH", "Reason", "Version", "VersionIndex"]
