"""A class tells its own tag and what may stand in it; nobody else's can be taken."""

import subprocess
import sys

import pytest
from harness import ROOT

from headrace.learning.metrics import METRICS
from headrace.learning.metrics.tallies import Confusion, Errors, Probabilities
from headrace.learning.tags import CONTENTS, PLACES, TAGS, contents_of, tagged


def new(module="headrace.learning.metrics.mean", name="Mean"):
    return type(name, (), {"__module__": module})


@pytest.fixture(autouse=True)
def tables_as_before():
    before = [dict(table) for table in (PLACES, TAGS, CONTENTS)]
    yield
    for table, rows in zip((PLACES, TAGS, CONTENTS), before, strict=True):
        table.clear()
        table.update(rows)


def test_a_tag_of_another_class_or_of_python_is_refused_and_nothing_is_entered():
    for tag in ("errors/1", "list", "river.stats.mean.Mean/1"):
        before = PLACES[tag]
        with pytest.raises(TypeError, match=f"the tag {tag} of headrace.learning.metrics.mean:Mean is that of"):
            tagged(tag)(new())
        assert PLACES[tag] == before
    assert ("headrace.learning.metrics.mean", "Mean") not in TAGS


def test_a_class_has_one_tag():
    mean = tagged("mean/1")(new())
    assert tagged("mean/1")(mean) is mean  # as when a module is loaded again
    with pytest.raises(TypeError, match="has the tag mean/1, and cannot have mean/2 too"):
        tagged("mean/2")(mean)
    assert "mean/2" not in PLACES


@pytest.mark.parametrize("module", ["shop", "headrace.app.serving", "river.stats.mean", "builtins"])
def test_only_classes_of_the_fold_have_tags(module):
    with pytest.raises(TypeError, match=r"is not of headrace\.learning"):
        tagged("mean/1")(new(module))


def test_what_may_stand_in_a_class_is_told_by_the_class_itself():
    assert set(contents_of(Confusion)) == {"counts"}
    assert set(contents_of(Probabilities)) == {"positives", "negatives", "sums"}
    assert contents_of(Errors) == contents_of(dict) == {}


def test_every_tally_of_the_table_of_metrics_is_tagged():
    for of_kinds in METRICS.values():
        for metric in of_kinds.values():
            assert TAGS[metric.tally.__module__, metric.tally.__qualname__].endswith("/1")


def test_all_that_a_state_names_is_there_when_its_module_is():
    """A process that only reads snapshots knows every tag: the module of the state imports the modules of all its classes."""
    code = "import headrace.learning.state, headrace.learning.tags as t; print(len([p for p in t.PLACES.values() if p[0].startswith(t.OURS)]))"
    there = int(subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT))
    assert there == sum(module.startswith("headrace.learning.") for module, _ in PLACES.values()) >= 30
