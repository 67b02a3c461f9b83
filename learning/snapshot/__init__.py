"""Snapshots: a state as signed bytes that another process can check and load."""

from headrace.learning.encoding import decode, digest, encode
from headrace.learning.snapshot.header import Header
from headrace.learning.snapshot.sealed import check_signed, peek, seal, unseal

__all__ = ["Header", "check_signed", "decode", "digest", "encode", "peek", "seal", "unseal"]
