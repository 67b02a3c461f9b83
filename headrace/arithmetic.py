"""Lets NumPy compute alike on all x86-64 processors, so that a log gives the same digests on each of them.

NumPy and OpenBLAS choose their code by the processor that they find. With AVX-512 a logarithm or a dot product has other last bits than with
AVX2, and models that are folded on two such machines would drift apart. So the newer instructions are left unused. It takes effect only where
NumPy is not imported yet.
"""

import os
import sys
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")

LEVEL_3 = {"avx2", "fma"}
"""What the chosen code needs, by its names in `/proc/cpuinfo`."""

LEVEL_4 = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
ICE_LAKE = LEVEL_4 | {"avx512vbmi", "avx512ifma", "avx512_vbmi2", "avx512_bitalg", "avx512_vpopcntdq", "avx512_vnni"}
SAPPHIRE_RAPIDS = ICE_LAKE | {"avx512_fp16"}

NAMES: dict[str, Collection[str]] = {"X86_V4": LEVEL_4, "AVX512_ICL": ICE_LAKE, "AVX512_SPR": SAPPHIRE_RAPIDS}
"""NumPy's names of what is left unused, with what a processor must have for it: a name that does not apply is a warning."""

OLDER_NAMES: dict[str, Collection[str]] = {
    "AVX512F": {"avx512f"},
    "AVX512CD": {"avx512cd"},
    "AVX512_SKX": LEVEL_4,
    "AVX512_CLX": LEVEL_4 | {"avx512_vnni"},
    "AVX512_CNL": LEVEL_4 | {"avx512vbmi", "avx512ifma"},
    "AVX512_ICL": ICE_LAKE,
    "AVX512_SPR": SAPPHIRE_RAPIDS,
}
"""The names before NumPy 2.4."""


def settings(flags: Collection[str], numpy_version: tuple[int, ...]) -> dict[str, str]:
    """Return the environment that makes NumPy compute as on any processor with AVX2; nothing for one without.

    Parameters
    ----------
    flags
        What the processor has, as in `/proc/cpuinfo`.
    numpy_version
        The first two numbers of NumPy's version.

    Examples
    --------
    >>> settings({"avx2", "fma", *LEVEL_4}, (2, 4))
    {'OPENBLAS_CORETYPE': 'Haswell', 'NPY_DISABLE_CPU_FEATURES': 'X86_V4'}
    >>> settings({"avx2", "fma"}, (2, 4)), settings({"sse2"}, (2, 4))
    ({'OPENBLAS_CORETYPE': 'Haswell'}, {})
    """
    if not set(flags) >= LEVEL_3:
        return {}
    names = NAMES if numpy_version >= (2, 4) else OLDER_NAMES
    unused = [name for name, needs in names.items() if set(needs) <= set(flags)]
    return {"OPENBLAS_CORETYPE": "Haswell"} | ({"NPY_DISABLE_CPU_FEATURES": " ".join(unused)} if unused else {})


def set_up() -> None:
    """Set the environment, unless NumPy is imported already, or somebody has set it."""
    if "numpy" in sys.modules or not sys.platform.startswith("linux"):
        return
    try:
        with CPU_INFO.open(encoding="ascii", errors="replace") as lines:
            flags = next((line for line in lines if line.startswith("flags")), "").split()
    except OSError:
        return
    numpy_version = tuple(int(part) for part in version("numpy").split(".")[:2])
    for name, value in settings(flags, numpy_version).items():
        os.environ.setdefault(name, value)
