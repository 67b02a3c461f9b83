"""What only `make test-all` runs, so that `make test` stays short."""

import math
import os

import pytest

IS_THOROUGH = os.environ.get("THOROUGH") == "1"

only_thorough = pytest.mark.skipif(not IS_THOROUGH, reason="make test-all runs it")
"""Marks a test, or a row of parameters, that `make test` skips."""


def some(count: int, of: int = 4) -> int:
    """So many, or in `make test` one in four of them, or in `of`."""
    return count if IS_THOROUGH else math.ceil(count / of)
