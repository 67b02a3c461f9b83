"""A model from `worker.modules` that no task of the settings names: it is in snapshots, and a new process reads them."""

import subprocess
import sys
from pathlib import Path

import pytest

from headrace.app.settings import load
from headrace.learning.errors import SettingsError

ROOT = Path(__file__).parents[2]
MODULE = """
from river.base import Classifier

class Constant(Classifier):
    def __init__(self):
        self.seen = 0
    def learn_one(self, x, y):
        self.seen += 1
    def predict_proba_one(self, x):
        return {True: 0.5, False: 0.5}

def make():
    return Constant()
"""
SETTINGS = '[worker]\nmodules = ["shopmodels"]\n[tasks.ads]\nkind = "binary"\n'
RUN = """
import json, sys
from headrace.app.settings import load
from headrace.learning.fold.learner import Learner
from headrace.learning.promises import Promises
from headrace.learning.records.message import Message
from headrace.learning.snapshot import seal, unseal
from headrace.learning.supplies import InMemory, Supplies
from headrace.learning.task import define
settings = load("headrace.toml")
task, modules = settings.tasks["ads"], settings.worker.modules
if sys.argv[1] == "write":
    learner = Learner(task, 0, supplies=Supplies(InMemory(), Promises(task), modules))
    rows = [{"control": "define", "first": True, "task": json.loads(define(task))},
            {"control": "define", "task": json.loads(define(task)) | {"model": "shopmodels:make"}},
            {"features": {"x": 1.0}, "label": True}]
    for number, row in enumerate(rows):
        list(learner.fold(Message(number, json.dumps(row).encode())))
    open("state", "wb").write(seal(learner.state, task, 0, writer="w"))
else:
    state = unseal(open("state", "rb").read(), task, 0, own_modules=modules)
    print(state.arms["next"].model.seen)
"""


def test_a_new_process_reads_a_snapshot_with_it(tmp_path):
    (tmp_path / "shopmodels.py").write_text(MODULE)
    (tmp_path / "headrace.toml").write_text(SETTINGS)
    told = ""
    for what in ("write", "read"):
        command = [sys.executable, "-c", RUN, what]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={"PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr
        told = done.stdout
    assert told == "1\n"


def test_a_module_that_is_not_there_is_named(tmp_path):
    (tmp_path / "headrace.toml").write_text(SETTINGS.replace("shopmodels", "nosuchmodels"))
    with pytest.raises(SettingsError, match=r"worker\.modules\[0\].*nosuchmodels"):
        load(str(tmp_path / "headrace.toml"))
