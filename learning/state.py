"""State as bytes: the codec, the digest and the sealed snapshot, under one name."""

from learning.codec import dump, load
from learning.digest import digest
from learning.header import Header
from learning.snapshot import peek, seal, unseal

__all__ = ["Header", "digest", "dump", "load", "peek", "seal", "unseal"]
