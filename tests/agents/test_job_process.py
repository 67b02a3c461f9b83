"""The process of a job, as its worker sees it: whatever it does with its order, its worker goes on."""

import os
import sys

import harness
import msgspec
import pytest

from headrace.agents.jobs.order import Order
from headrace.agents.jobs.process import NICENESS, Subprocess
from headrace.learning.recipe import Recipe

ORDER = Order(id="j1", recipe=Recipe(), model="logistic", definition="x" * (1 << 20))
"""Larger than a pipe holds."""

READ_LATE = """
import json, os, sys, time
for _ in range(200):
    if os.path.exists(sys.argv[1]):
        break
    time.sleep(0.05)
else:
    sys.exit(3)
order = json.loads(sys.stdin.buffer.read())
print(json.dumps({"type": "progress", "done": len(order["definition"])}), flush=True)
"""

TELL_NICENESS = """
import os, sys
from headrace.agents.jobs import process

async def make(*_, tell, **__):
    tell(process.Progress(done=os.nice(0)))

process._make = make
sys.exit(process.run_job(None, 0, None, (), 1 << 40))
"""


def started(program, *arguments, order=ORDER, isolated=("-I", "-S")):
    return Subprocess([sys.executable, *isolated, "-c", program, *map(str, arguments)], order, os.environ)


def ended(process):
    harness.wait_for(lambda: process.has_ended, 60, "the process ends")
    return process


def test_the_worker_does_not_wait_until_a_large_order_is_read(tmp_path):
    process = started(READ_LATE, tmp_path / "go")
    assert not process.has_ended, "it was waited for"
    (tmp_path / "go").touch()
    assert ended(process).has_delivered
    assert process.progress.done == len(ORDER.definition)


def test_a_process_that_ends_without_reading_its_order_has_failed():
    process = ended(started("import sys; sys.exit(4)"))
    assert not process.has_delivered
    assert process.error == "it ended with status 4"


def test_a_process_that_never_reads_its_order_can_be_killed():
    process = started("import time; time.sleep(600)")
    process.kill()
    assert ended(process).error == "it ended with status -9"


@pytest.mark.parametrize(("promised", "nicer"), [(None, NICENESS), (7, 0)])
def test_a_job_gives_way_to_its_worker_unless_the_shard_waits_for_it(promised, nicer):
    process = ended(started(TELL_NICENESS, order=msgspec.structs.replace(ORDER, promised=promised), isolated=()))
    assert process.has_delivered, process.error
    assert process.progress.done == os.nice(0) + nicer
