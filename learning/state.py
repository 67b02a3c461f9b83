"""State as bytes: the encoding, the digest and the sealed snapshot, under one name."""

from headrace.learning.encoding import decode, digest, encode
from headrace.learning.header import Header
from headrace.learning.snapshot import check_signed, peek, seal, unseal

__all__ = ["Header", "check_signed", "decode", "digest", "encode", "peek", "seal", "unseal"]
