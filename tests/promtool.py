"""Runs `promtool`, which comes with Prometheus, where it is installed."""

import shutil
import subprocess

import pytest

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is missing: apt-get install prometheus"
)


def promtool(*words, text=None):
    """Run it to its end: the exit status, and what it has printed."""
    done = subprocess.run(["promtool", *map(str, words)], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr
