"""The kernel: linear models predict and learn many rows in one compiled loop, with the same results, to the last bit, as one row after the other.

It needs numba, which comes with `headrace[kernel]`. Without it, and for all other models, rows are folded one after the other.
"""

from functools import cached_property
from importlib import import_module
from types import ModuleType

from headrace.learning.kernel.families import linear_of
from headrace.learning.kernel.linear import Linear
from headrace.learning.kernel.rows import Rows

__all__ = ["Linear", "Rows", "compiled", "linear_of", "use_kernel"]


class _Kernel:
    """Whether the kernel is used in this process."""

    is_used = True

    @cached_property
    def loops(self) -> ModuleType | None:
        """The compiled loops; None without numba."""
        try:
            return import_module("headrace.learning.kernel.loops")
        except ImportError:
            return None


_kernel = _Kernel()


def compiled() -> ModuleType | None:
    """Give the module of the compiled loops; None if numba is not there, or if the kernel is not to be used."""
    return _kernel.loops if _kernel.is_used else None


def use_kernel(*, yes: bool) -> None:
    """Use the kernel from now on, or do without it. States and effects are the same."""
    _kernel.is_used = yes
