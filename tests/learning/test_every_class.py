"""Every class that a state may name comes back from bytes as it was, and goes on as it would have."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import harness
import msgspec
import pytest
import zoo
from river import stats
from thorough import IS_THOROUGH, some

from headrace.learning.encoding import table
from headrace.learning.encoding.writer import Writer
from headrace.learning.metrics.tallies import Errors
from headrace.learning.models import build, names_for
from headrace.learning.snapshot import decode, digest, encode
from headrace.learning.state import State
from headrace.learning.task import Task

COUNT, MORE = some(300, of=2), 60
"""How many rows a model learns, so that its trees have grown each sort of branch, and how many it goes on with."""

CATALOGUE = {f"{name} of the catalogue, {kind}": (kind, lambda name=name, kind=kind: build(name, kind)) for kind in ("binary", "multiclass", "regression", "anomaly") for name in names_for(kind)}  # fmt: skip
EVERY = zoo.MODELS | CATALOGUE


def learned(kind, make, count=COUNT):
    model, samples = make(), list(zoo.rows(kind, count + MORE))
    for x, y in samples[:count]:
        ask(kind, model, x)
        learn(kind, model, x, y)
    return model, samples[count:]


def learn(kind, model, x, y):
    model.learn_one(*((x,) if kind == "anomaly" else (x, y)))


def ask(kind, model, x):
    if kind == "anomaly":
        return model.score_one(x)
    if kind in ("regression", "prices"):
        return model.predict_one(x)
    try:
        return model.predict_proba_one(x)
    except NotImplementedError:
        return model.predict_one(x)


def written(value):
    """The tags of the classes in a value."""
    writer = Writer()
    list(writer.frames(value))
    return {table.tag_of(kind) for kind, *_ in writer.shapes}


@pytest.mark.parametrize("count", [1, COUNT])
@pytest.mark.parametrize("name", EVERY)
def test_a_model_that_was_read_goes_on_as_the_one_that_was_written(name, count):
    kind, make = EVERY[name]
    model, more = learned(kind, make, count)
    data = encode(model)
    read = decode(data, own_modules=("zoo",))
    assert encode(read) == data
    for x, y in more:
        assert repr(ask(kind, read, x)) == repr(ask(kind, model, x))  # which may be nan
        learn(kind, model, x, y)
        learn(kind, read, x, y)
    assert digest(read) == digest(model)


ELSEWHERE = """
import json, sys
import msgspec
import zoo
from test_every_class import EVERY, ask, more_of
from headrace.learning.snapshot import decode, digest
found = {}
for name, data in msgspec.msgpack.decode(open(sys.argv[1], "rb").read()).items():
    kind, _ = EVERY[name]
    model = decode(data, own_modules=("zoo",))
    found[name] = [digest(model), [repr(ask(kind, model, x)) for x in more_of(kind)]]
print(json.dumps(found))
"""
"""Reads models in another process, with another hash seed, and asks them."""


BY_HASH_ORDER = ["select", "FwFMClassifier", "FwFMRegressor"]
"""Models of River that sum in the order of a set of strings: workers run with PYTHONHASHSEED=0."""


def more_of(kind):
    return [x for x, _ in list(zoo.rows(kind, 35))[30:]]


def test_another_process_with_another_hash_seed_reads_the_same_models(tmp_path):
    models = {name: learned(kind, make, 30)[0] for name, (kind, make) in EVERY.items()}
    (tmp_path / "models").write_bytes(msgspec.msgpack.encode({name: encode(model) for name, model in models.items()}))
    folders = os.pathsep.join([str(harness.ROOT), str(harness.ROOT / "tests"), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ELSEWHERE, str(tmp_path / "models")],
        env=os.environ | {"PYTHONHASHSEED": "1234", "PYTHONPATH": folders}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    there = json.loads(done.stdout)
    assert {name: found[0] for name, found in there.items()} == {name: digest(model) for name, model in models.items()}
    other = [
        name
        for name, (kind, _) in EVERY.items()
        if there[name][1] != [repr(ask(kind, models[name], x)) for x in more_of(kind)]
    ]
    assert other == BY_HASH_ORDER


@pytest.mark.parametrize("part", zoo.PARTS, ids=lambda part: type(part).__name__)
def test_a_part_of_a_model_comes_back(part):
    dice = random.Random(1)
    for _ in range(20):
        if isinstance(part, stats.base.Univariate) or hasattr(part, "drift_detected"):
            part.update(dice.random())
    assert encode(decode(encode(part))) == encode(part)


GROWN = ["hat nb", "hat regressor mean False", "efdt nb"]
"""The models that have parts after `COUNT` rows that none has after 25."""


def test_the_table_has_no_class_that_is_in_none_of_these():
    grown = EVERY if IS_THOROUGH else GROWN
    met = {tag for kind, make in EVERY.values() for tag in written(learned(kind, make, 25)[0])}
    met |= {tag for name in grown for tag in written(learned(*EVERY[name])[0])}
    met |= {tag for part in zoo.PARTS for tag in written(part)}
    listed = {tag for tag in table.PLACES if tag.startswith("river.") and tag.endswith("/1")}
    assert listed - met == {"river.imblearn.hard_sampling.Triplet/1"}  # a named tuple, of "hard sampling"


def test_every_place_in_the_table_is_there():
    for tag, (module, name) in table.PLACES.items():
        __import__(module)
        assert table.find(tag, ()) is not None, tag
        if not module.startswith(("river._", "builtins", "numpy", "copy")):
            found = table.find(tag, ())
            assert (found.__module__, found.__qualname__) == (module, name)
    assert {place: tag for tag, place in table.PLACES.items()} == table.TAGS


def test_a_class_that_moves_to_another_module_keeps_its_tag(monkeypatch):
    """A snapshot of before the move is read, and a state has the digest that it had."""
    before = Errors()
    before.update(3.0, 4.0)
    data = encode([before, State(Task(name="t", kind="regression"))])
    kept = {name: value for name, value in vars(Errors).items() if name not in ("__dict__", "__weakref__")}
    moved = type("Errors", (), kept | {"__module__": "elsewhere"})
    monkeypatch.setitem(sys.modules, "elsewhere", SimpleNamespace(Errors=moved))
    monkeypatch.setitem(table.PLACES, "errors/1", ("elsewhere", "Errors"))
    monkeypatch.setattr(table, "TAGS", {place: tag for tag, place in table.PLACES.items()})
    monkeypatch.setattr(table, "SHAPES", {})
    after, state = decode(data)
    assert type(after) is type(state.served.tallies["errors"]) is moved
    assert (after.view().absolute, vars(after)) == (1.0, vars(before))
    assert encode([after, state]) == data
