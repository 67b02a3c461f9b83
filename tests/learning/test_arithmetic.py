"""NumPy computes alike on all x86-64 processors with AVX2, in a worker as here."""

import subprocess
import sys

import pytest
from numpy._core import _multiarray_umath

from headrace.arithmetic import ICE_LAKE, LEVEL_3, LEVEL_4, NAMES, SAPPHIRE_RAPIDS, settings

NEWER = tuple(NAMES)
SHOW = "import {first}, numpy, os; print([numpy._core._multiarray_umath.__cpu_features__.get(name) for name in {names}], os.environ.get('OPENBLAS_CORETYPE'))"


def test_no_newer_instructions_are_used_here():
    assert not any(_multiarray_umath.__cpu_features__.get(name) for name in NEWER)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have arithmetic of their own")
def test_none_are_used_in_a_process_that_imports_headrace_first_and_no_name_is_strange():
    shown = subprocess.check_output(
        [sys.executable, "-W", "error", "-c", SHOW.format(first="headrace", names=NEWER)], text=True, env={}
    )
    assert "True" not in shown


def test_what_somebody_has_set_stays():
    given = {"OPENBLAS_CORETYPE": "Zen"}
    shown = subprocess.check_output(
        [sys.executable, "-c", SHOW.format(first="headrace", names=())], text=True, env=given
    )
    assert "Zen" in shown


@pytest.mark.parametrize(
    ("flags", "unused"),
    [
        (LEVEL_3, None),
        (LEVEL_4, "X86_V4"),
        (ICE_LAKE, "X86_V4 AVX512_ICL"),
        (SAPPHIRE_RAPIDS, "X86_V4 AVX512_ICL AVX512_SPR"),
    ],
)
def test_only_what_a_processor_has_is_left_unused(flags, unused):
    assert settings(LEVEL_3 | flags, (2, 4)).get("NPY_DISABLE_CPU_FEATURES") == unused
    assert settings(flags - LEVEL_3, (2, 4)) == {}


def test_older_versions_of_numpy_have_other_names():
    assert settings(LEVEL_3 | LEVEL_4, (2, 3))["NPY_DISABLE_CPU_FEATURES"] == "AVX512F AVX512CD AVX512_SKX"
