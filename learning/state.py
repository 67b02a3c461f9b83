"""State as bytes: the encoding, the digest and the sealed snapshot, under one name."""

from learning.encoding import decode, digest, encode
from learning.header import Header
from learning.snapshot import peek, seal, unseal

__all__ = ["Header", "decode", "digest", "encode", "peek", "seal", "unseal"]
