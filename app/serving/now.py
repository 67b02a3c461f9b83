"""Runs a coroutine that does not wait, outside of any task."""

from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


def run_now(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end, and return its result; RuntimeError if it waits, which is a defect of the caller.

    Examples
    --------
    >>> async def add(a, b):
    ...     return a + b
    >>> run_now(add(1, 2))
    3
    """
    try:
        coroutine.send(None)
    except StopIteration as ended:
        result: Result = ended.value
        return result
    coroutine.close()
    raise RuntimeError("a coroutine that was not to wait has waited")
