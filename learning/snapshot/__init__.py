"""Snapshots: a state as bytes, its digest, and the sealed snapshot of a shard."""

from headrace.learning.encoding import decode, digest, encode
from headrace.learning.snapshot.header import Header
from headrace.learning.snapshot.sealed import check_signed, peek, seal, unseal

__all__ = ["Header", "check_signed", "decode", "digest", "encode", "peek", "seal", "unseal"]
