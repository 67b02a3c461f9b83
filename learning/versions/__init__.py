"""Versions: models of a shard that were saved, to go back to."""

from headrace.learning.versions.index import Reason, Version, VersionIndex

__all__ = ["Reason", "Version", "VersionIndex"]
